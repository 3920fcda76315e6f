// WebRpc: calls of a web service by way of the servers (loadbalancing-webhooks.md 1).
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ErrorCode, State, scenario } from "./player.mjs";

/** call makes one call and returns its result. */
async function call(player, ...args) {
  const nth = player.rpcs.length;
  player.client.webRpc(...args);
  await player.until("the answer comes", () => player.rpcs.length > nth);
  return player.rpcs[nth];
}

describe("web calls", { concurrency: true }, () => {
  // LB-270, LB-271, LB-274
  scenario("webRpc reaches the service from the lobby and from a room", async (world) => {
    const ann = await world.lobby("ann");
    const who = { AppId: "e2e", AppVersion: world.version, Region: "eu", UserId: "ann" };
    for (const where of ["lobby", "room"]) {
      if (where === "room") await ann.create("r");
      const { code, message, path, result, data } = await call(ann, "p/q?id=1", { key1: 1, key2: "yx", key3: true, UserId: "bob" }, { sendAuthCookie: true });
      assert.deepEqual([code, path, result], [0, "p/q?id=1", 5], message);
      assert.deepEqual([data.method, data.url, data.type, data.key], ["POST", "/rpc/p/q?id=1&base=1", "application/json", "k"]);
      assert.equal(data.body, JSON.stringify({ ...who, key1: 1, key2: "yx", key3: true }));
      assert.deepEqual(data.values, { long: 5000000000, double: 1.5, yes: true, none: null, list: [1, "x"] });

      assert.equal((await call(ann, "array", [1, "x", { a: null }])).data.body, JSON.stringify({ ...who, RpcParams: [1, "x", { a: null }] }));
      assert.equal((await call(ann, "none")).data.body, JSON.stringify(who));
    }
    assert.equal(ann.client.state(), State.Joined);
  });

  // LB-272
  scenario("a failing service is reported, and so are bad paths", async (world) => {
    const ann = await world.lobby("ann");
    for (const path of ["fail", "text"]) {
      const { code, message } = await call(ann, path);
      assert.equal(code, ErrorCode.ExternalHttpCallFailed ?? 32744);
      assert.ok(message);
    }
    for (const path of ["../x", "//evil.example/", "http://evil.example/"]) {
      const { code, message } = await call(ann, path);
      assert.equal(code, ErrorCode.InvalidOperationCode);
      assert.ok(message);
    }
    assert.equal((await call(ann, "ok")).result, 5);
  });

  // LB-272
  scenario("the eleventh call within a minute is refused, and a new connection starts anew", async (world) => {
    const ann = await world.lobby("ann");
    for (let i = 0; i < 12; i++) ann.client.webRpc("m", { i });
    await ann.until("all answers come", () => ann.rpcs.length === 12);
    assert.equal(ann.rpcs.filter((r) => r.code === 0).length, 10);
    assert.equal(ann.rpcs.filter((r) => r.code === (ErrorCode.HttpLimitReached ?? 32745)).length, 2);
    await ann.create("r");
    assert.equal((await call(ann, "m")).code, 0);
  });

  // WJ-113, LB-272
  scenario("webRpc without a configured address is refused with a message", async (world) => {
    const ann = await world.lobby("ann", { appId: "e2e-without-webrpc" });
    const { code, message } = await call(ann, "p/q", { a: 1 });
    assert.equal(code, ErrorCode.InvalidOperationCode);
    assert.ok(message);
    assert.equal(ann.client.state(), State.JoinedLobby);
  });
});
