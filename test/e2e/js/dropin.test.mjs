// Drop-in plugins: files that are put into a directory while the cluster runs
// (plugins.md 15, docs/wasm-plugins.md).
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { describe } from "node:test";
import { ErrorCode, OperationCode, eventually, scenario } from "./player.mjs";

const appId = "e2e-dropin";
const plugins = ["Marker"];
const { E2E_PLUGINS: directory, E2E_NEXT_PLUGINS: next } = process.env;

/** say raises an event, which the plugin marks with its version, and returns what the other player gets. */
async function say(from, to) {
  const nth = to.received(1).length + 1;
  from.client.raiseEvent(1, "hello");
  return (await to.event(1, nth)).content;
}

describe("drop-in plugins", () => {
  // PL-132, PL-133
  scenario("a new version is for new rooms", async (world) => {
    const [ann, bob, cat, dan] = await Promise.all(["ann", "bob", "cat", "dan"].map((id) => world.lobby(id, { appId })));
    await ann.create("old", { plugins });
    await bob.join("old");
    assert.equal(await say(ann, bob), "1.9.0: hello");

    for (const file of ["marker-1.10.0.wasm", "marker-1.10.0.plugin.yaml"]) await rename(join(next, file), join(directory, file));
    // The server looks at the directory every five seconds, and compiles what is new.
    let room = 0;
    await eventually(
      "a new room has the new version",
      async () => {
        const name = `new ${room++}`;
        await cat.create(name, { plugins });
        await dan.join(name);
        const heard = await say(cat, dan);
        for (const p of [cat, dan]) await p.leave();
        return heard === "1.10.0: hello";
      },
      20_000,
    );
    assert.equal(await say(bob, ann), "1.9.0: hello");
  });

  // PL-60, PL-62
  scenario("rooms that ask for no plugin or for one that is not there", async (world) => {
    const [ann, bob] = await Promise.all(["ann", "bob"].map((id) => world.lobby(id, { appId })));
    await ann.create("plain");
    await bob.join("plain");
    assert.equal(await say(ann, bob), "hello");
    const eve = await world.lobby("eve", { appId });
    await eve.refusedInTheEnd(OperationCode.CreateGame, ErrorCode.PluginMismatch, () => eve.client.createRoom("r", { plugins: ["Other"] }));
  });
});
