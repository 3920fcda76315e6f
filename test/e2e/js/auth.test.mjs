// Who a client is: web services, platforms, limits of applications, regions.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Constants, ErrorCode, OperationCode, PeerErrorCode, State, eventually, region, scenario } from "./player.mjs";

const { CustomAuthenticationType } = Constants;

/** login authenticates at the name server with a provider and goes on to the lobby. */
async function login(player, parameters, type, data) {
  player.client.setCustomAuthentication(parameters, type, data);
  player.client.connectToRegionMaster(region);
  await player.reach(State.JoinedLobby);
  return player;
}

/** turnedAway is a login that fails at the name server with this code; it returns the text. */
async function turnedAway(player, code, parameters, type, data) {
  player.client.setCustomAuthentication(parameters, type, data);
  player.client.connectToRegionMaster(region);
  const error = await player.error();
  assert.equal(error.code, PeerErrorCode.NameServerAuthenticationFailed, error.message);
  assert.match(error.message, new RegExp(code));
  assert.equal(player.client.state(), State.Error);
  return error.message;
}

describe("who a client is", { concurrency: true }, () => {
  // LB-045, LB-047, LB-048, WJ-083, WJ-085
  scenario("a web service knows the user: its user id and nickname count, on all servers", async (world) => {
    const ann = await login(world.player("claimed"), "user=ann&nick=Annie");
    assert.equal(ann.client.getUserId(), "user of ann");
    assert.equal(ann.client.myActor().name, "Annie");
    await ann.create("r");
    const bob = await login(world.player(), "user=bob&nick=Bob");
    await bob.join("r");
    const other = bob.client.myRoomActors()[1];
    assert.deepEqual([other.name, other.userId], ["Annie", "user of ann"]);
    const cat = await world.lobby("cat");
    cat.client.findFriends(["user of ann", "claimed"]);
    await cat.until("the friends come", () => cat.friends.length === 1);
    assert.deepEqual(cat.friends[0].friends, { "user of ann": { online: true, roomId: "r" }, claimed: { online: false, roomId: "" } });
    await ann.leave(); // with the token, no second question
    assert.equal(ann.client.getUserId(), "user of ann");
  });

  // LB-046, WJ-083
  scenario("data is posted: text as it is, tables as JSON", async (world) => {
    for (const data of ["some text", { a: 1, b: ["x", null] }]) {
      const ann = await login(world.player(), "user=ann", CustomAuthenticationType.Custom, data);
      await ann.disconnect();
    }
  });

  scenario("the same on a master without a name server", async (world) => {
    const ann = world.player("claimed");
    ann.client.setCustomAuthentication("user=direct");
    await ann.connect();
    assert.equal(ann.client.getUserId(), "user of direct");
    const eve = world.player("eve");
    eve.client.setCustomAuthentication("user=eve&answer=no");
    eve.client.connect();
    const error = await eve.error();
    assert.equal(error.code, PeerErrorCode.MasterAuthenticationFailed);
    assert.match(error.message, /wrong password/);
  });

  // LB-049, LB-051, WJ-084
  scenario("a web service that says no, wants more, or makes no sense", async (world) => {
    assert.match(await turnedAway(world.player("a"), ErrorCode.CustomAuthenticationFailed, "answer=no"), /wrong password/);
    await turnedAway(world.player("b"), ErrorCode.CustomAuthenticationFailed, "answer=more");
    await turnedAway(world.player("c"), ErrorCode.CustomAuthenticationFailed, "answer=error");
    await turnedAway(world.player("d"), ErrorCode.CustomAuthenticationFailed, "answer=text");
    // The operator's key can't be replaced by the client's.
    await login(world.player("e"), "user=e&secret=mine&SECRET=mine");
  });

  scenario("after a refusal the client tries again with better credentials", async (world) => {
    const ann = world.player("ann");
    await turnedAway(ann, ErrorCode.CustomAuthenticationFailed, "answer=no");
    await login(ann, "user=ann"); // on the same connection
    await ann.create("r");
  });

  scenario("Steam: the ticket decides", async (world) => {
    const ann = await login(world.player("claimed"), "ticket=00ff", CustomAuthenticationType.Steam);
    assert.equal(ann.client.getUserId(), "76561");
    await turnedAway(world.player("eve"), ErrorCode.CustomAuthenticationFailed, "ticket=0bad", CustomAuthenticationType.Steam);
    await turnedAway(world.player("eve"), ErrorCode.InvalidOperationCode, "ticket=xyz", CustomAuthenticationType.Steam);
    // LB-052: a platform that is not configured
    await turnedAway(world.player("eve"), ErrorCode.CustomAuthenticationFailed, "token=x", CustomAuthenticationType.Epic);
  });

  scenario("users of the configuration", async (world) => {
    const ann = await login(world.player(), "user=ann&token=anns+secret", 20);
    assert.equal(ann.client.getUserId(), "ann");
    await turnedAway(world.player(), ErrorCode.CustomAuthenticationFailed, "user=ann&token=guess", 20);
  });

  // One user twice: online, and not twice in one room. LB-161
  scenario("a user may be connected twice, in two rooms, and not twice in one", async (world) => {
    const [phone, tablet, cat] = await Promise.all([world.lobby("ann"), world.lobby("ann"), world.lobby("cat")]);
    await phone.create("on the phone");
    await tablet.create("on the tablet");
    await cat.sees(2);
    const ask = async () => {
      const nth = cat.friends.length;
      cat.client.findFriends(["ann", "ann"]);
      await cat.until("the friends come", () => cat.friends.length > nth);
      return cat.friends[nth].friends.ann;
    };
    assert.equal((await ask()).online, true);
    await tablet.leave();
    await eventually("the other room is shown", async () => (await ask()).roomId === "on the phone");
    await tablet.refused(OperationCode.JoinGame, ErrorCode.JoinFailedFoundActiveJoiner, () => tablet.client.joinRoom("on the phone"));
    await phone.disconnect();
    assert.equal((await ask()).online, true);
  });
});

describe("what an application may", { concurrency: true }, () => {
  // LB-031
  scenario("more players than allowed are turned away by name server and master", async (world) => {
    const few = { appId: "e2e-few-players" };
    const [ann] = await Promise.all([world.lobby("ann", few), world.lobby("bob", few)]);
    const late = world.player("late", few);
    late.client.connectToRegionMaster(region);
    assert.match((await late.error()).message, new RegExp(ErrorCode.MaxCcuReached));
    const direct = world.player("direct", { ...few, version: "another" });
    direct.client.connect();
    const error = await direct.error();
    assert.equal(error.code, PeerErrorCode.MasterAuthenticationFailed);
    assert.match(error.message, new RegExp(ErrorCode.MaxCcuReached));
    await ann.create("r"); // those who are in go where they like
    await ann.leave();
    await ann.disconnect();
    await eventually("there is place", async () => {
      const next = world.player("next", few);
      next.client.connectToRegionMaster(region);
      await next.until("it is in or out", () => next.errors.length > 0 || next.client.state() === State.JoinedLobby);
      next.expectedErrors = next.errors.length;
      return next.errors.length === 0;
    }, 15_000);
  });

  scenario("rooms and players per room are limited", async (world) => {
    const few = { appId: "e2e-few-rooms" };
    const [ann, bob] = await Promise.all([world.lobby("ann", few), world.lobby("bob", few)]);
    await ann.refusedInTheEnd(OperationCode.CreateGame, ErrorCode.InvalidOperationCode, () => ann.client.createRoom("large", { maxPlayers: 4 }));
    await ann.disconnect();
    await ann.connect();
    await ann.create("first");
    assert.equal(ann.room.maxPlayers, 3);
    await bob.refused(OperationCode.CreateGame, ErrorCode.ServerFull, () => bob.client.createRoom("second"));
    await bob.refused(OperationCode.JoinRandomGame, ErrorCode.ServerFull, () =>
      bob.client.joinRandomOrCreateRoom({ expectedCustomRoomProperties: { map: "x" } }, "second"));
    await bob.join("first");
  });

  scenario("a version that may not connect", async (world) => {
    const app = { appId: "e2e-version" };
    const old = world.player("old", { ...app, version: "0.9" });
    old.client.connectToRegionMaster(region);
    assert.match((await old.error()).message, new RegExp(ErrorCode.InvalidAuthentication));
    const current = world.player("current", { ...app, version: "1.0" });
    current.client.connectToRegionMaster(region);
    await current.reach(State.JoinedLobby);
  });

  // LB-023, LB-030
  scenario("regions of an application, and one that is not there", async (world) => {
    const app = { appId: "e2e-region" };
    const ann = world.player("ann", app);
    ann.client.connectToNameServer();
    await ann.reach(State.ConnectedToNameServer);
    ann.client.getRegions();
    await ann.until("the regions come", () => ann.regions.length === 1);
    assert.deepEqual(ann.regions[0].regions, { elsewhere: "ws://127.0.0.1:1" });
    ann.client.connectToRegionMaster(region);
    assert.match((await ann.error()).message, new RegExp(ErrorCode.InvalidRegion));

    const bob = world.player("bob", app);
    bob.client.connectToRegionMaster("elsewhere");
    assert.ok([PeerErrorCode.MasterError, PeerErrorCode.MasterConnectFailed].includes((await bob.error()).code));
    await bob.disconnect(); // the SDK may report the same once more
    bob.expectedErrors = Infinity;
    const cat = world.player("cat");
    for (const name of [region + "/*", region + "/default", region.toUpperCase() + "/DEFAULT"]) {
      cat.client.connectToRegionMaster(name); // LB-029
      await cat.reach(State.JoinedLobby);
      await cat.disconnect();
    }
    cat.client.connectToRegionMaster(region + "/other");
    assert.match((await cat.error()).message, new RegExp(ErrorCode.InvalidRegion));
  });
});
