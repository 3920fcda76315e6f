// From nothing to the lobby: regions, name server, master, virtual applications.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ErrorCode, OperationCode, PeerErrorCode, State, eventually, region, scenario } from "./player.mjs";

describe("connecting", { concurrency: true }, () => {
  // WJ-080, LB-020, LB-022
  scenario("getRegions gives the configured regions", async (world) => {
    const ann = world.player("ann");
    ann.client.connectToNameServer();
    await ann.reach(State.ConnectedToNameServer);
    ann.client.getRegions();
    await ann.until("the regions come", () => ann.regions.length === 1);
    assert.equal(ann.regions[0].code, 0);
    assert.deepEqual(Object.keys(ann.regions[0].regions).sort(), ["elsewhere", region]);
    assert.match(ann.regions[0].regions[region], /^ws:\/\/\S+:\d+$/); // LB-025
  });

  // WJ-001, WJ-082, WJ-086, WJ-100, LB-021, LB-032, LB-060
  scenario("getRegions and connectToRegionMaster on one connection lead to the lobby", async (world) => {
    const ann = world.player("Änn Ä.");
    ann.client.connectToNameServer();
    await ann.reach(State.ConnectedToNameServer);
    ann.client.getRegions();
    await ann.until("the regions come", () => ann.regions.length === 1);
    ann.client.connectToRegionMaster(region);
    await ann.reach(State.JoinedLobby);
    assert.equal(ann.client.getUserId(), "Änn Ä.");
    assert.deepEqual(
      ann.states.filter((s) => s !== State.ConnectedToNameServer),
      [State.ConnectingToNameServer, State.ConnectingToMasterserver, State.ConnectedToMaster, State.JoinedLobby],
    );
  });

  // WJ-081, LB-029
  scenario("the region's case does not matter", async (world) => {
    const ann = world.player("ann");
    ann.client.connectToRegionMaster(region.toUpperCase());
    await ann.reach(State.JoinedLobby);
  });

  // WJ-081, LB-029
  scenario("an unknown region is refused", async (world) => {
    const ann = world.player("ann");
    ann.client.connectToRegionMaster("atlantis");
    const error = await ann.error();
    assert.equal(error.code, PeerErrorCode.NameServerAuthenticationFailed);
    assert.match(error.message, new RegExp(ErrorCode.InvalidRegion));
    assert.equal(ann.client.state(), State.Error);
  });

  // WJ-103, WJ-104, LB-068, LB-082
  scenario("a direct connection to the master joins the lobby by itself and gets a list, also an empty one", async (world) => {
    const ann = await world.lobby("ann");
    await ann.until("the room list comes", () => ann.lists.length === 1);
    assert.deepEqual(ann.lists[0], []);
  });

  // LB-033
  scenario("clients without a user id get different ones", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby(), world.lobby()]);
    assert.match(ann.client.getUserId(), /^[0-9a-f-]{32,36}$/i);
    assert.notEqual(ann.client.getUserId(), bob.client.getUserId());
  });

  scenario("without automatic lobby the client stays on the master and can play", async (world) => {
    const ann = world.player("ann");
    ann.client.autoJoinLobby = false;
    ann.client.connect();
    await ann.reach(State.ConnectedToMaster);
    await ann.create("r");
    assert.equal(ann.room.name, "r");
  });

  scenario("a client connects again after disconnecting", async (world) => {
    const ann = await world.lobby("ann");
    await ann.disconnect();
    await ann.connect();
    await ann.create("r");
    await ann.disconnect();
    await ann.connect();
  });

  // WJ-031, WJ-032
  scenario("the server clock of two clients of one server agrees", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    for (const p of [ann, bob]) p.client.syncServerTime();
    const difference = () => Math.abs(ann.client.getServerTimeMs() - bob.client.getServerTimeMs());
    await eventually("both clocks are set", () => ann.client.getServerTimeMs() !== 0 && bob.client.getServerTimeMs() !== 0 && difference() < 500);
  });

  // LB-013
  scenario("two versions of an application do not see each other", async (world) => {
    const other = { version: `${world.version}-2` };
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob", other)]);
    await ann.create("same name", { maxPlayers: 2 });
    await bob.create("same name", { maxPlayers: 3 });
    assert.deepEqual([ann.nr, bob.nr], [1, 1]);
    assert.deepEqual([ann.actors, bob.actors], [[1], [1]]);
    const [cat, dan] = await Promise.all([world.lobby("cat"), world.lobby("dan", other)]);
    await cat.until("its room is listed", () => cat.listed("same name")?.maxPlayers === 2);
    await dan.until("its room is listed", () => dan.listed("same name")?.maxPlayers === 3);
    cat.client.findFriends(["ann", "bob"]);
    await cat.until("the friends come", () => cat.friends.length === 1);
    assert.equal(cat.friends[0].friends.ann.online, true);
    assert.equal(cat.friends[0].friends.bob.online, false);
    await ann.leave();
    await ann.sees(0);
    await ann.refused(OperationCode.JoinGame, ErrorCode.GameDoesNotExist, () => ann.client.joinRoom("same name"));
    await dan.join("same name");
    assert.equal(dan.room.maxPlayers, 3);
  });

  // An AppId is the whole name of an application as well.
  scenario("two applications do not see each other", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann", { appId: "one app" }), world.lobby("bob", { appId: "another" })]);
    await ann.create("r");
    await bob.refused(OperationCode.JoinGame, ErrorCode.GameDoesNotExist, () => bob.client.joinRoom("r"));
  });
});
