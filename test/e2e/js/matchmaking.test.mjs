// Finding a room: what games do with lobbies, filters, friends and each other.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ErrorCode, LobbyType, MatchmakingMode, OperationCode, State, eventually, scenario } from "./player.mjs";

const { CreateGame, JoinGame, JoinRandomGame } = OperationCode;
const listed = (properties) => ({ propsListedInLobby: Object.keys(properties), customGameProperties: properties });

describe("finding a room", { concurrency: true }, () => {
  // LB-143, LB-095
  scenario("an asynchronous-random lobby: no list, and a room whose players all went is still matched", async (world) => {
    const turns = { lobbyName: "turns", lobbyType: LobbyType.AsyncRandomLobby };
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob", { connect: turns })]);
    await ann.create("game", { ...turns, maxPlayers: 2, playerTTL: -1, roomTTL: 5_000, ...listed({ mode: "chess" }) });
    await bob.sees(1);
    await ann.suspend();
    await bob.joinRandom({ expectedCustomRoomProperties: { mode: "chess" } });
    assert.equal(bob.room.name, "game");
    assert.equal(bob.nr, 2);
    assert.deepEqual([bob.lists, bob.updates], [[], []]);
    await ann.join("game", { rejoin: true });
    assert.equal(ann.nr, 1);
  });

  // LB-115
  scenario("random matching reaches every room", async (world) => {
    const hosts = await Promise.all(["h1", "h2", "h3"].map((id) => world.lobby(id)));
    for (const h of hosts) await h.create(h.userId);
    const guest = await world.lobby("guest");
    await guest.sees(3);
    const met = new Set();
    for (let i = 0; i < 60 && met.size < 3; i++) {
      const answer = await guest.answer(JoinRandomGame, () => guest.client.joinRandomRoom({ matchingType: MatchmakingMode.RandomMatching }));
      assert.equal(answer.code, 0);
      await guest.arrive();
      met.add(guest.room.name);
      await guest.leave();
    }
    assert.equal(met.size, 3); // missed once in 10^10 runs
  });

  // LB-114: not the room that waits for this user
  scenario("a random join passes over the room in which the user is suspended", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.create("old", { maxPlayers: 4, playerTTL: 20_000 });
    await bob.join("old");
    await bob.suspend();
    const cat = await world.lobby("cat");
    await cat.create("new");
    await bob.sees(2);
    await bob.joinRandom();
    assert.equal(bob.room.name, "new");
    await bob.leave();
    await bob.join("old", { rejoin: true });
    assert.equal(bob.nr, 2);
  });

  // WJ-066, LB-111, LB-112
  scenario("filters of several properties and types, together with the number of players", async (world) => {
    const hosts = await Promise.all(["h1", "h2", "h3"].map((id) => world.lobby(id)));
    const room = (i, maxPlayers, properties) => hosts[i].create(`r${i}`, { maxPlayers, ...listed(properties) });
    await room(0, 2, { level: 1, ranked: true, map: "a", ratio: 0.5 });
    await room(1, 4, { level: 1, ranked: false, map: "a", ratio: 0.5 });
    await room(2, 4, { level: 2, ranked: false, map: "ä", ratio: 1.5 });
    const guest = await world.lobby("guest");
    await guest.sees(3);
    const find = async (filter, expectedMaxPlayers) => {
      const answer = await guest.answer(JoinRandomGame, () =>
        guest.client.joinRandomRoom({ expectedCustomRoomProperties: filter, expectedMaxPlayers }));
      if (answer.code !== 0) return answer.code;
      await guest.arrive();
      const { name } = guest.room;
      await guest.leave();
      return name;
    };
    assert.equal(await find({ level: 1, map: "a" }, 4), "r1");
    assert.equal(await find({ ranked: true }), "r0");
    assert.equal(await find({ ratio: 1.5, map: "ä" }), "r2");
    assert.equal(await find({ level: 2, ranked: true }), ErrorCode.NoRandomMatchFound);
    assert.equal(await find({ missing: null }), ErrorCode.NoRandomMatchFound);
    assert.equal(await find({}, 3), ErrorCode.NoRandomMatchFound);
    assert.equal(await find({}, 0), "r0"); // 0 is no condition
  });

  // LB-110
  scenario("a room changes while it is looked for: properties, players, open or not", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.create("r", { maxPlayers: 2, ...listed({ phase: "lobby" }) });
    const missed = (phase) =>
      bob.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => bob.client.joinRandomRoom({ expectedCustomRoomProperties: { phase } }));
    await bob.until("the room is listed", () => bob.listed("r"));
    ann.room.setCustomProperty("phase", "match");
    await bob.until("the change is shown", () => bob.listed("r").getCustomProperty("phase") === "match");
    await missed("lobby");
    ann.room.setIsOpen(false);
    await bob.until("the change is shown", () => !bob.listed("r").isOpen);
    await missed("match");
    ann.room.setIsOpen(true);
    await bob.until("the change is shown", () => bob.listed("r").isOpen);
    ann.room.setMaxPlayers(1);
    await bob.until("the change is shown", () => bob.listed("r").maxPlayers === 1);
    await missed("match");
    ann.room.setMaxPlayers(2);
    await bob.until("the change is shown", () => bob.listed("r").maxPlayers === 2);
    await bob.joinRandom({ expectedCustomRoomProperties: { phase: "match" } });
    assert.deepEqual(bob.actors, [1, 2]);
  });

  // LB-131, LB-126
  scenario("SQL filters: operators, functions, NULL, quoting and case", async (world) => {
    const sql = { lobbyName: "elo", lobbyType: LobbyType.SqlLobby };
    const hosts = await Promise.all(["h1", "h2", "h3"].map((id) => world.lobby(id)));
    await hosts[0].create("low", { ...sql, ...listed({ C0: 400, C1: "it's; a map", C2: -3 }) });
    await hosts[1].create("high", { ...sql, ...listed({ C0: 500, C1: "MAP2" }) });
    await hosts[2].create("bare", { ...sql, ...listed({ other: 1 }) });
    const guest = await world.lobby("guest");
    await guest.sees(3);
    const find = async (sqlLobbyFilter) => {
      const answer = await guest.answer(JoinRandomGame, () => guest.client.joinRandomRoom({ ...sql, sqlLobbyFilter }));
      if (answer.code !== 0) return answer.code;
      await guest.arrive();
      const { name } = guest.room;
      await guest.leave();
      return name;
    };
    const { NoRandomMatchFound, InvalidOperationCode } = ErrorCode;
    for (const [filter, want] of [
      ["C0 BETWEEN 450 AND 550", "high"],
      ["C1 = 'it''s; a map'", "low"],
      ["c1 LIKE 'map_' AND NOT C0 < 500", "high"],
      ["C1 GLOB 'MAP*'", "high"],
      ["abs(C2) = 3", "low"],
      ["C0 % 200 = 100 OR C0 * 2 > 2000", "high"],
      ["C2 IS NULL AND C0 IS NOT NULL", "high"],
      ["C0 ISNULL", "bare"],
      ["C1 <> 'MAP2'", "low"],
      ["C0 NOT IN (400, 600)", "high"],
      ["C0 & 4 = 4 AND C0 > 450;C0 = 400;", "high"],
      ["", "low"],
      ["C0 = 999 ; C0 = 998", NoRandomMatchFound],
      ["C0 = '400'", NoRandomMatchFound],
      ["C0 = 400 UNION SELECT 1", InvalidOperationCode],
      ["C0 = 'open", InvalidOperationCode],
      ["other = 1", InvalidOperationCode],
      [";", InvalidOperationCode],
    ]) {
      assert.equal(await find(filter), want, filter);
    }
  });

  // LB-119, LB-121
  scenario("random or create in an SQL lobby: the second finds what the first has created", async (world) => {
    const sql = { lobbyName: "ranked", lobbyType: LobbyType.SqlLobby };
    const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
    const create = { ...sql, maxPlayers: 4, ...listed({ C0: 1500 }) };
    await ann.joinRandomOrCreate({ ...sql, sqlLobbyFilter: "C0 BETWEEN 1400 AND 1600" }, undefined, create);
    await bob.sees(1);
    await bob.joinRandomOrCreate({ ...sql, sqlLobbyFilter: "C0 BETWEEN 1450 AND 1550" }, undefined, create);
    assert.equal(bob.room.name, ann.room.name);
    await cat.joinRandomOrCreate({ ...sql, sqlLobbyFilter: "C0 > 1600" }, undefined, { ...create, ...listed({ C0: 1700 }) });
    assert.notEqual(cat.room.name, ann.room.name);
    assert.equal(cat.room.getCustomProperty("C0"), 1700);
  });

  scenario("ten at once call random or create for rooms of two: five full rooms", async (world) => {
    const players = await Promise.all(Array.from({ length: 10 }, (_, i) => world.lobby(`p${i}`)));
    const options = { maxPlayers: 2, ...listed({ mode: "duel" }) };
    await Promise.all(players.map((p) => p.joinRandomOrCreate({ expectedCustomRoomProperties: { mode: "duel" }, expectedMaxPlayers: 2 }, undefined, options)));
    await Promise.all(players.map((p) => p.until("the other is there", () => p.actors.length === 2)));
    assert.equal(new Set(players.map((p) => p.room.name)).size, 5);
  });

  scenario("the host goes while others are on their way: all end somewhere, and find a new room", async (world) => {
    const [host, ...guests] = await Promise.all(["host", "g1", "g2", "g3"].map((id) => world.lobby(id)));
    await host.create("doomed");
    await guests[0].sees(1);
    host.client.leaveRoom();
    const stuck = [];
    await Promise.all(guests.map(async (g) => {
      g.client.joinRandomRoom();
      await g.until("there is an outcome", () => g.joined.length > 0 || g.responses.some((r) => [JoinGame, JoinRandomGame].includes(r.operation) && r.code !== 0));
      if (g.joined.length > 0) return;
      const refusal = g.responses.find((r) => r.code !== 0);
      assert.ok([ErrorCode.NoRandomMatchFound, ErrorCode.GameDoesNotExist].includes(refusal.code), JSON.stringify(refusal));
      if (refusal.operation === JoinGame) stuck.push(g);
    }));
    for (const g of stuck) { // the SDK stays on the game server after a refusal there
      await g.disconnect();
      await g.connect();
    }
    for (const g of guests.filter((p) => p.joined.length === 0)) await g.joinRandomOrCreate({}, undefined, { maxPlayers: 8 });
    assert.ok(guests.every((g) => g.room.name));
  });

  scenario("a party: the leader looks for a room with slots for all, the others follow by findFriends", async (world) => {
    const [small, large, leader, bob, cat] = await Promise.all(["small", "large", "leader", "bob", "cat"].map((id) => world.lobby(id)));
    await small.create("small", { maxPlayers: 3 });
    await large.create("large", { maxPlayers: 4 });
    await leader.sees(2);
    await leader.joinRandom({ expectedUsers: ["bob", "cat"] });
    assert.equal(leader.room.name, "large");
    for (const p of [bob, cat]) {
      let room;
      await eventually("the leader's room is known", async () => {
        const nth = p.friends.length;
        p.client.findFriends(["leader"]);
        await p.until("the friends come", () => p.friends.length > nth);
        room = p.friends[nth].friends.leader.roomId;
        return room !== "";
      });
      await p.join(room);
    }
    assert.deepEqual(cat.actors, [1, 2, 3, 4]);
    const stranger = await world.lobby("stranger");
    await eventually("the room is known to be full", async () =>
      (await stranger.answer(JoinGame, () => stranger.client.joinRoom("large"))).code === ErrorCode.GameFull);
  });

  scenario("more expected users than the room has places are refused at once", async (world) => {
    const ann = await world.lobby("ann");
    await ann.refused(CreateGame, ErrorCode.SlotError, () => ann.client.createRoom("r", { maxPlayers: 2, expectedUsers: ["bob", "cat"] }));
    await ann.create("r", { maxPlayers: 3, expectedUsers: ["bob", "cat"] });
  });

  // LB-135
  scenario("findFriends with many names, with none, and with too many", async (world) => {
    const ann = await world.lobby("ann");
    const ask = async (names) => {
      const nth = ann.friends.length;
      ann.client.findFriends(names);
      await ann.until("an answer comes", () => ann.friends.length > nth);
      return ann.friends[nth];
    };
    const names = Array.from({ length: 512 }, (_, i) => (i === 511 ? "ann" : `friend ${i}`));
    const many = await ask(names);
    assert.equal(many.code, 0);
    assert.equal(Object.keys(many.friends).length, 512);
    assert.deepEqual(many.friends.ann, { online: true, roomId: "" });
    assert.deepEqual((await ask([])).friends, {});
    const tooMany = await ask([...names, "one more"]);
    assert.equal(tooMany.code, ErrorCode.InvalidOperationCode);
    assert.ok(tooMany.message);
  });

  scenario("room names are any text, up to 256 bytes", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    for (const name of ["Räum 😀", " ", "a/b?c=d&e#f", '"quoted" ~m~ \\', "x".repeat(256)]) {
      await ann.create(name);
      assert.equal(ann.room.name, name);
      await bob.join(name);
      await Promise.all([ann.leave(), bob.leave()]);
    }
    await ann.refused(CreateGame, ErrorCode.InvalidOperationCode, () => ann.client.createRoom("x".repeat(257)));
    await ann.refused(JoinGame, ErrorCode.InvalidOperationCode, () => ann.client.joinRoom("é".repeat(129)));
  });

  // LB-084, LB-116: who is in a custom lobby creates there, and joins by name everywhere.
  scenario("lobbies of one name and other types are different, names of rooms are common to all", async (world) => {
    const [ann, bob, cat] = await Promise.all([
      world.lobby("ann", { connect: { lobbyName: "x", lobbyType: LobbyType.Default } }),
      world.lobby("bob", { connect: { lobbyName: "x", lobbyType: LobbyType.SqlLobby } }),
      world.lobby("cat"),
    ]);
    await ann.create("in x");
    await cat.sees(1);
    await bob.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => bob.client.joinRandomRoom());
    await cat.refused(JoinRandomGame, ErrorCode.NoRandomMatchFound, () => cat.client.joinRandomRoom());
    await bob.refused(CreateGame, ErrorCode.GameIdAlreadyExists, () => bob.client.createRoom("in x"));
    await bob.join("in x");
    await cat.join("in x");
    assert.deepEqual(cat.actors, [1, 2, 3]);
  });

  scenario("back from a room the client is in its lobby again, with a fresh list", async (world) => {
    const arena = { connect: { lobbyName: "arena", lobbyType: LobbyType.Default } };
    const [ann, bob] = await Promise.all([world.lobby("ann", arena), world.lobby("bob", arena)]);
    await ann.create("r");
    await bob.create("s");
    await bob.leave();
    await bob.until("the list comes", () => bob.rooms().includes("r"));
    assert.equal(bob.client.state(), State.JoinedLobby);
    await ann.leave();
    await bob.until("the room is gone", () => !bob.rooms().includes("r"));
  });

  // LB-089, LB-094
  scenario("thirty rooms come and go in a lobby that ten watch", async (world) => {
    const watchers = await Promise.all(Array.from({ length: 10 }, (_, i) => world.lobby(`w${i}`)));
    const hosts = await Promise.all(Array.from({ length: 30 }, (_, i) => world.lobby(`h${i}`)));
    await Promise.all(hosts.map((h) => h.create(h.userId, { maxPlayers: 8 })));
    const names = hosts.map((h) => h.userId).sort();
    for (const w of watchers) await w.until("all rooms are listed", () => w.rooms().length === 30);
    assert.deepEqual(watchers[0].rooms(), names);
    await Promise.all(hosts.slice(0, 15).map((h) => h.leave()));
    for (const w of watchers) await w.until("half of the rooms are gone", () => w.rooms().length === 15);
    for (const w of watchers) assert.equal(w.lists.length, 1);
  });
});
