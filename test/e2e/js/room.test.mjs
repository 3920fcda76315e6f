// Creating, joining and matching rooms.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Constants, ErrorCode, MatchmakingMode, OperationCode, State, eventually, passed, scenario } from "./player.mjs";

const { CreateGame, JoinGame, JoinRandomGame } = OperationCode;

describe("rooms", { concurrency: true }, () => {
  // WJ-131, WJ-134, LB-100, LB-150, LB-151
  scenario("createRoom with a name: the creator is actor 1 and hears its own Join event", async (world) => {
    const ann = world.player("ann");
    ann.client.myActor().setName("Ann");
    await ann.connect();
    await ann.create("r");
    assert.deepEqual(ann.joined, [true]);
    assert.deepEqual(ann.arrived, [1]);
    assert.equal(ann.nr, 1);
    assert.equal(ann.client.myRoomMasterActorNr(), 1);
    assert.equal(ann.client.myRoomActorCount(), 1);
    const { name, isOpen, isVisible, maxPlayers } = ann.room;
    assert.deepEqual({ name, isOpen, isVisible, maxPlayers }, { name: "r", isOpen: true, isVisible: true, maxPlayers: 0 });
    assert.equal(ann.client.myActor().name, "Ann");
  });

  // WJ-109, LB-100
  scenario("createRoom without a name: the server makes one", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await Promise.all([ann.create(), bob.create()]);
    assert.match(ann.room.name, /^[0-9a-f-]{32,36}$/i);
    assert.notEqual(ann.room.name, bob.room.name);
    const cat = await world.lobby("cat");
    await cat.join(ann.room.name);
    assert.deepEqual(cat.actors, [1, 2]);
  });

  // WJ-111, WJ-134, LB-151
  scenario("createRoom with all options: the creator and those who join see them", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.create("all options", {
      isVisible: false,
      isOpen: true,
      maxPlayers: 5,
      customGameProperties: { map: "Wüste 🏜", level: 3, ratio: 0.5, tags: ["a", 1], nested: { x: [null, true] } },
      propsListedInLobby: ["map", "level"],
      emptyRoomLiveTime: 1000,
      suspendedPlayerLiveTime: 2000,
      uniqueUserId: true,
      plugins: ["Default"], // LB-169
      lobbyName: "arena",
      lobbyType: Constants.LobbyType.AsyncRandomLobby,
      expectedUsers: ["bob"],
    });
    await bob.join("all options");
    for (const { room } of [ann, bob]) {
      assert.equal(room.isVisible, false);
      assert.equal(room.isOpen, true);
      assert.equal(room.maxPlayers, 5);
      assert.equal(room.emptyRoomLiveTime, 1000);
      assert.equal(room.suspendedPlayerLiveTime, 2000);
      assert.equal(room.masterClientId, 1);
      assert.deepEqual(room.getPropsListedInLobby(), ["map", "level"]);
      assert.deepEqual(room.expectedUsers, ["bob"]);
      assert.deepEqual({ ...room.getCustomProperties() }, {
        map: "Wüste 🏜", level: 3, ratio: 0.5, tags: ["a", 1], nested: { x: [null, true] },
      });
    }
    assert.deepEqual([ann.joined, bob.joined], [[true], [false]]);
  });

  // WJ-132, WJ-133, LB-153
  scenario("joinRoom: the newcomer knows everyone, everyone hears of the newcomer", async (world) => {
    const [ann, bob] = [world.player("ann"), world.player("bob")];
    for (const [p, name, hp] of [[ann, "Ann", 10], [bob, "Bob", 20]]) {
      p.client.myActor().setName(name);
      p.client.myActor().setCustomProperty("hp", hp);
      await p.connect();
    }
    await ann.create("r");
    await bob.join("r");
    await ann.until("bob arrives", () => ann.arrived.includes(2));
    assert.deepEqual(ann.arrived, [1, 2]);
    for (const p of [ann, bob]) {
      assert.deepEqual(p.actors, [1, 2]);
      assert.equal(p.client.myRoomMasterActorNr(), 1);
      const actors = p.client.myRoomActors();
      assert.deepEqual([1, 2].map((nr) => [actors[nr].name, actors[nr].userId, actors[nr].getCustomProperty("hp")]), [["Ann", "ann", 10], ["Bob", "bob", 20]]);
    }
  });

  // WJ-135, LB-104, LB-152, LB-155
  scenario("joinRoom with createIfNotExists creates once; options of the second change nothing", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.join("r", { createIfNotExists: true }, { maxPlayers: 2, customGameProperties: { by: "ann" } });
    assert.equal(ann.nr, 1);
    assert.equal(ann.room.maxPlayers, 2);
    await bob.join("r", { createIfNotExists: true }, { maxPlayers: 7, isOpen: false, customGameProperties: { by: "bob", more: 1 } });
    assert.equal(bob.nr, 2);
    assert.equal(bob.room.maxPlayers, 2);
    assert.equal(bob.room.isOpen, true);
    assert.deepEqual({ ...bob.room.getCustomProperties() }, { by: "ann" });
  });

  // LB-104: a room that is only reserved has its game server already.
  scenario("two clients at once with createIfNotExists end in one room", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await Promise.all([ann, bob].map((p) => p.join("r", { createIfNotExists: true })));
    assert.deepEqual([ann.nr, bob.nr].sort(), [1, 2]);
  });

  // WJ-111, WJ-066, LB-110, LB-111, LB-112
  scenario("joinRandomRoom with a property filter", async (world) => {
    const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
    const refused = (options) => cat.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => cat.client.joinRandomRoom(options));
    await refused();
    await ann.create("desert", { maxPlayers: 4, propsListedInLobby: ["map", "level"], customGameProperties: { map: "desert", level: 3, secret: 1 } });
    await bob.create("forest", { maxPlayers: 6, propsListedInLobby: ["map", "level"], customGameProperties: { map: "forest", level: 4, secret: 1 } });
    await cat.sees(2);
    await refused({ expectedCustomRoomProperties: { map: "desert", level: 4 } });
    await refused({ expectedCustomRoomProperties: { map: "Forest" } });
    await refused({ expectedCustomRoomProperties: { level: "4" } });
    await refused({ expectedCustomRoomProperties: { secret: 1 } }); // not listed in the lobby
    await refused({ expectedMaxPlayers: 5 });
    await cat.joinRandom({ expectedCustomRoomProperties: { map: "forest", level: 4.0 } });
    assert.equal(cat.room.name, "forest");
    await cat.leave();
    await cat.joinRandom({ expectedMaxPlayers: 4 });
    assert.equal(cat.room.name, "desert");
  });

  // LB-113, LB-115
  scenario("joinRandomRoom passes over hidden, closed and full rooms and fills the oldest", async (world) => {
    const hosts = await Promise.all(["h1", "h2", "h3", "h4", "h5"].map((id) => world.lobby(id)));
    await hosts[0].create("hidden", { isVisible: false });
    await hosts[1].create("closed", { isOpen: false });
    await hosts[2].create("full", { maxPlayers: 1 });
    await hosts[3].create("oldest", { maxPlayers: 3 });
    await hosts[4].create("youngest", { maxPlayers: 3 });
    const guests = await Promise.all(["g1", "g2", "g3"].map((id) => world.lobby(id)));
    await guests[0].sees(5);
    for (const g of guests) await g.joinRandom();
    assert.deepEqual(guests.map((g) => g.room.name), ["oldest", "oldest", "youngest"]);
  });

  // LB-115
  scenario("joinRandomRoom with serial matching spreads the players evenly", async (world) => {
    const hosts = await Promise.all(["h1", "h2", "h3"].map((id) => world.lobby(id)));
    for (const [i, h] of hosts.entries()) await h.create(`r${i}`);
    const guests = await Promise.all(["g1", "g2", "g3", "g4", "g5", "g6"].map((id) => world.lobby(id)));
    await guests[0].sees(3);
    for (const g of guests) await g.joinRandom({ matchingType: MatchmakingMode.SerialMatching });
    assert.deepEqual(guests.map((g) => g.room.name).sort(), ["r0", "r0", "r1", "r1", "r2", "r2"]);
  });

  // WJ-111, LB-119, LB-120, LB-121
  scenario("joinRandomOrCreateRoom: two clients at the same moment meet", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    const filter = { expectedCustomRoomProperties: { mode: "duel" } };
    const options = { maxPlayers: 2, propsListedInLobby: ["mode"], customGameProperties: { mode: "duel" } };
    await Promise.all([ann, bob].map((p) => p.joinRandomOrCreate(filter, undefined, options)));
    await Promise.all([ann, bob].map((p) => p.until("both are there", () => p.actors.length === 2)));
    assert.equal(ann.room.name, bob.room.name);
    assert.equal(ann.room.maxPlayers, 2);
    assert.deepEqual({ ...bob.room.getCustomProperties() }, { mode: "duel" });

    const cat = await world.lobby("cat");
    await cat.sees(1);
    // The duel is full, so that a new one is made, named as asked.
    await cat.joinRandomOrCreate(filter, "second duel", options);
    assert.equal(cat.room.name, "second duel");
    assert.equal(cat.nr, 1);
  });

  // LB-118, LB-094
  scenario("20 clients at once for 4 slots: exactly 4 get in", async (world) => {
    const host = await world.lobby("host");
    await host.create("r", { maxPlayers: 5 });
    const crowd = await Promise.all(Array.from({ length: 20 }, (_, i) => world.lobby(`c${i}`)));
    await crowd[0].sees(1);
    const outcome = await Promise.all(
      crowd.map(async (p) => {
        p.client.joinRandomRoom();
        await p.until("there is an outcome", () => p.joined.length > 0 || p.responses.some((r) => r.operation === JoinRandomGame && r.code !== 0));
        return p.joined.length > 0 ? "in" : p.responses.at(-1).code;
      }),
    );
    assert.equal(outcome.filter((o) => o === "in").length, 4);
    assert.equal(outcome.filter((o) => o === ErrorCode.NoRandomMatchFound).length, 16);
    await host.until("the room is full", () => host.actors.length === 5);
  });

  // WJ-114, LB-101, LB-103
  scenario("the master refuses rooms that are full, closed, unknown or taken, and the client plays on", async (world) => {
    const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
    await ann.create("full", { maxPlayers: 1 });
    await bob.create("closed", { isOpen: false });
    await cat.sees(2);
    await cat.refused(JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("full"));
    await cat.refused(JoinGame, ErrorCode.GameClosed, () => cat.client.joinRoom("closed"));
    await cat.refused(JoinGame, ErrorCode.GameDoesNotExist, () => cat.client.joinRoom("unknown"));
    await cat.refused(CreateGame, ErrorCode.GameIdAlreadyExists, () => cat.client.createRoom("full"));
    await cat.refused(CreateGame, ErrorCode.GameIdAlreadyExists, () => cat.client.createRoom("full", { lobbyName: "another", lobbyType: 0 }));
    assert.equal(cat.client.state(), State.JoinedLobby);
    await cat.create("mine");
  });

  // WJ-114, LB-161
  scenario("the same user can't join a room twice", async (world) => {
    const [ann, again] = await Promise.all([world.lobby("ann"), world.lobby("ann")]);
    await ann.create("r");
    await again.sees(1);
    await again.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => again.client.joinRandomRoom()); // LB-114
    await again.refused(JoinGame, ErrorCode.JoinFailedFoundActiveJoiner, () => again.client.joinRoom("r"));
    await again.refused(JoinGame, ErrorCode.JoinFailedFoundActiveJoiner, () => again.client.joinRoom("r", { createIfNotExists: true }));
    assert.deepEqual(ann.actors, [1]);
  });

  // Who comes back from a room at once is not taken for a second connection.
  scenario("leaving and entering the same room again and again, by name and at random", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    for (let i = 0; i < 10; i++) {
      await bob.leave();
      await (i % 2 ? bob.join("r") : bob.joinRandom());
      assert.equal(bob.room.name, "r");
    }
    await ann.until("everyone is there", () => ann.actors.length === 2);
  });

  // WJ-112
  scenario("joinRoom without a name is refused", async (world) => {
    const ann = await world.lobby("ann");
    assert.notEqual((await ann.answer(JoinGame, () => ann.client.joinRoom())).code, 0);
    await ann.create("r");
  });

  // LB-168, LB-169, PL-60: refused by the game server; the SDK is left on it and starts again.
  for (const [what, options, code] of [
    ["a plugin that is not there", { plugins: ["NoSuch"] }, ErrorCode.PluginMismatch],
    ["two plugins", { plugins: ["Default", "Default"] }, ErrorCode.PluginMismatch],
    ["an empty room time above the limit", { emptyRoomLiveTime: 1e9 }, ErrorCode.InvalidOperationCode],
  ]) {
    scenario(`createRoom with ${what} is refused and leaves no room`, async (world) => {
      const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
      await ann.refusedInTheEnd(CreateGame, code, () => ann.client.createRoom("r", options));
      await ann.disconnect();
      await eventually("the name is free", async () => (await bob.answer(CreateGame, () => bob.client.createRoom("r"))).code === 0);
      await bob.until("the room is joined", () => bob.joined.length > 0);
    });
  }

  // PL-57, PL-60: a room has its plugin for life, and who joins can insist on it.
  for (const [what, plugins] of [
    ["another plugin", ["NoSuch"]],
    ["two plugins", ["Default", "Default"]],
  ]) {
    scenario(`joinRoom that demands ${what} is refused`, async (world) => {
      const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
      await bob.refusedInTheEnd(JoinGame, ErrorCode.PluginMismatch, () => bob.client.joinRoom("r", { createIfNotExists: true }, { plugins }));
      await bob.disconnect();
      await eventually("the name is free", async () => (await ann.answer(CreateGame, () => ann.client.createRoom("r"))).code === 0);
      await ann.until("the room is joined", () => ann.joined.length > 0);
      await cat.refusedInTheEnd(JoinGame, ErrorCode.PluginMismatch, () => cat.client.joinRoom("r", { createIfNotExists: true }, { plugins }));
      assert.deepEqual(ann.actors, [1]);
      assert.deepEqual(cat.joined, []);
      await cat.disconnect();
      await cat.connect();
      await cat.join("r", { createIfNotExists: true }, { plugins: ["Default"] });
      assert.deepEqual(cat.actors, [1, 2]);
    });
  }

  // LB-117, LB-166, WJ-137
  scenario("expected users keep their slots", async (world) => {
    const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
    await ann.create("r", { maxPlayers: 2, expectedUsers: ["bob"] });
    await cat.sees(1);
    await cat.refused(JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("r"));
    await cat.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => cat.client.joinRandomRoom());
    await bob.join("r");
    assert.deepEqual(bob.actors, [1, 2]);
  });

  // LB-167
  scenario("a player who joins with friends reserves their slots", async (world) => {
    const [ann, bob, cat, dan] = await Promise.all(["ann", "bob", "cat", "dan"].map((id) => world.lobby(id)));
    await ann.create("r", { maxPlayers: 3 });
    await cat.sees(1);
    await cat.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => cat.client.joinRandomRoom({ expectedUsers: ["dan", "eve"] }));
    await bob.joinRandom({ expectedUsers: ["dan"] });
    await cat.refused(JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("r"));
    await dan.join("r");
    assert.deepEqual(dan.actors, [1, 2, 3]);
  });

  // LB-167
  scenario("expected users of a newcomer are added to the room's", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.create("r", { maxPlayers: 4, expectedUsers: ["cat"] });
    await bob.join("r", { createIfNotExists: true, expectedUsers: ["dan"] }, { expectedUsers: ["dan"] });
    await ann.until("the reservation is announced", () => ann.room.expectedUsers?.length === 2);
    for (const p of [ann, bob]) assert.deepEqual([...p.room.expectedUsers].sort(), ["cat", "dan"]);
  });

  // WJ-137, LB-188, LB-189
  scenario("setExpectedUsers and clearExpectedUsers", async (world) => {
    const [ann, bob] = await world.together("r", { maxPlayers: 3, propsListedInLobby: ["reserved"] }, "ann", "bob");
    const cat = await world.lobby("cat");
    ann.room.setExpectedUsers(["dan"]);
    await bob.until("the reservation is announced", () => bob.room.expectedUsers?.length === 1);
    ann.room.setCustomProperty("reserved", true);
    await cat.until("the master knows", () => cat.listed("r")?.getCustomProperty("reserved"));
    await cat.refused(JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("r"));
    ann.room.clearExpectedUsers();
    await bob.until("the reservation is gone", () => !bob.room.expectedUsers?.length);
    await ann.until("the reservation is gone", () => !ann.room.expectedUsers?.length);
    await eventually("the slot is free", async () => (await cat.answer(JoinGame, () => cat.client.joinRoom("r"))).code === 0);
    await cat.until("the room is joined", () => cat.joined.length > 0);
  });

  // LB-154, LB-207
  scenario("actor numbers are not used again, room names are", async (world) => {
    const [ann, bob] = await world.together("r", { customGameProperties: { old: 1 } }, "ann", "bob");
    await bob.leave();
    await bob.join("r");
    assert.equal(bob.nr, 3);
    await Promise.all([ann.leave(), bob.leave()]);
    await eventually("the name is free", async () => (await ann.answer(CreateGame, () => ann.client.createRoom("r"))).code === 0);
    await ann.until("the room is joined", () => ann.client.state() === State.Joined);
    assert.equal(ann.nr, 1);
    assert.deepEqual({ ...ann.room.getCustomProperties() }, {});
  });

  // WJ-150 (its JavaScript part)
  scenario("20 clients in one room: everyone hears everyone", async (world) => {
    const ids = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const players = await Promise.all(ids.map((id) => world.lobby(id)));
    await players[0].create("crowd", { maxPlayers: 20 });
    await Promise.all(players.slice(1).map((p) => p.join("crowd")));
    await Promise.all(players.map((p) => p.until("everyone is there", () => p.actors.length === 20)));
    for (const p of players) p.client.raiseEvent(1, `from ${p.nr}`);
    await passed(...players);
    const numbers = players.map((p) => p.nr);
    for (const p of players) {
      const heard = p.events.filter((e) => e.code === 1);
      assert.deepEqual(heard.map((e) => e.sender).sort((a, b) => a - b), numbers.filter((n) => n !== p.nr).sort((a, b) => a - b));
      for (const e of heard) assert.equal(e.content, `from ${e.sender}`);
    }
  });
});
