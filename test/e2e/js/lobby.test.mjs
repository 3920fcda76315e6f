// The master: room lists, statistics, friends, lobbies of all types.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ErrorCode, LobbyType, OperationCode, eventually, scenario } from "./player.mjs";

describe("lobbies", { concurrency: true }, () => {
  // WJ-104, WJ-105, WJ-106, LB-087, LB-089, LB-092
  scenario("a room appears, changes and disappears in the lists of others", async (world) => {
    const [ann, bob, watcher] = await Promise.all(["ann", "bob", "watcher"].map((id) => world.lobby(id)));
    await watcher.until("the list comes", () => watcher.lists.length === 1);

    await ann.create("r", { maxPlayers: 4, propsListedInLobby: ["map", "later"], customGameProperties: { map: "m1", secret: 1 } });
    await watcher.until("the room appears", () => watcher.listed("r"));
    assert.deepEqual(watcher.updates[0], { updated: [], added: ["r"], removed: [] });
    let room = watcher.listed("r");
    assert.equal(room.playerCount, 1);
    assert.equal(room.maxPlayers, 4);
    assert.equal(room.isOpen, true);
    assert.deepEqual(room.getCustomProperties(), { map: "m1" }); // LB-087: nothing that is not listed

    await bob.join("r");
    await watcher.until("two players are shown", () => watcher.listed("r").playerCount === 2);
    ann.room.setCustomProperties({ map: "m2", later: true, secret: 2 }); // LB-090
    ann.room.setIsOpen(false);
    await watcher.until("the changes are shown", () => !watcher.listed("r").isOpen && watcher.listed("r").getCustomProperty("map") === "m2");
    assert.deepEqual(watcher.listed("r").getCustomProperties(), { map: "m2", later: true });
    assert.ok(watcher.updates.slice(1).every((u) => u.added.length === 0 && u.removed.length === 0), "one row per room");

    const late = await world.lobby("late");
    await late.until("the list comes", () => late.lists.length === 1);
    assert.deepEqual(late.lists[0], ["r"], "closed rooms stay listed");
    await ann.leave();
    await watcher.until("one player is shown", () => watcher.listed("r").playerCount === 1);
    await bob.disconnect();
    await watcher.until("the room disappears", () => !watcher.listed("r"));
    assert.deepEqual(watcher.updates.at(-1), { updated: [], added: [], removed: ["r"] });
    for (const u of watcher.updates) assert.notDeepEqual(u, { updated: [], added: [], removed: [] }, "an empty update");
  });

  // WJ-106, WJ-107, LB-091
  scenario("a hidden room leaves the list and comes back", async (world) => {
    const [ann, watcher] = await Promise.all([world.lobby("ann"), world.lobby("watcher")]);
    await ann.create("r");
    await watcher.until("the room appears", () => watcher.listed("r"));
    ann.room.setIsVisible(false);
    await watcher.until("the room is gone", () => !watcher.listed("r"));
    // A room that this client was never told of must not be mentioned to it.
    const late = await world.lobby("late");
    await late.until("the list comes", () => late.lists.length === 1);
    assert.deepEqual(late.lists[0], []);
    await ann.until("the change is confirmed", () => ann.room.isVisible === false);
    ann.room.setIsVisible(true);
    await watcher.until("the room is back", () => watcher.listed("r"));
    await late.until("the room appears", () => late.listed("r"));
    assert.deepEqual(late.updates, [{ updated: [], added: ["r"], removed: [] }]);
  });

  scenario("a room created invisible is never listed, but joined by name", async (world) => {
    const [ann, bob, watcher] = await Promise.all(["ann", "bob", "watcher"].map((id) => world.lobby(id)));
    await ann.create("hidden", { isVisible: false });
    await bob.create("shown");
    await watcher.until("the other room appears", () => watcher.listed("shown"));
    assert.deepEqual(watcher.rooms(), ["shown"]);
    await watcher.join("hidden"); // LB-105
    assert.deepEqual(watcher.actors, [1, 2]);
  });

  // WJ-108, LB-080, LB-142
  scenario("application statistics come at once and follow what happens", async (world) => {
    const [ann, watcher] = await Promise.all([world.lobby("ann"), world.lobby("watcher")]);
    await watcher.until("statistics come", () => watcher.appStats.length > 0);
    for (const key of ["peerCount", "masterPeerCount", "gameCount"]) assert.equal(typeof watcher.appStats[0].stats[key], "number", key);
    await ann.create("r");
    await watcher.until("the room and its player are counted", () => {
      const { peerCount, masterPeerCount, gameCount } = watcher.appStats.at(-1).stats;
      return peerCount === 1 && masterPeerCount === 1 && gameCount === 1;
    });
    await ann.disconnect();
    await watcher.until("they are counted no more", () => {
      const { peerCount, masterPeerCount, gameCount } = watcher.appStats.at(-1).stats;
      return peerCount === 0 && masterPeerCount === 1 && gameCount === 0;
    });
  });

  // WJ-103, WJ-113, LB-140, LB-141
  scenario("lobby statistics: asked for at connect, for all lobbies, for named ones", async (world) => {
    const host = await world.lobby("host", { connect: { lobbyName: "arena", lobbyType: LobbyType.Default } });
    await host.create("r");
    const ann = await world.lobby("ann", { connect: { lobbyStats: true } });
    await ann.until("the automatic statistics come", () => ann.lobbyStats.length === 1);
    assert.equal(ann.lobbyStats[0].code, 0);
    assert.ok(ann.lobbyStats[0].lobbies.some((l) => l.lobbyName === "" && l.lobbyType === LobbyType.Default), "the default lobby is always there");

    const ask = async (lobbies) => {
      const nth = ann.lobbyStats.length;
      ann.client.requestLobbyStats(lobbies);
      await ann.until("the statistics come", () => ann.lobbyStats.length > nth);
      assert.equal(ann.lobbyStats[nth].code, 0, ann.lobbyStats[nth].message);
      return ann.lobbyStats[nth].lobbies;
    };
    let arena;
    await eventually("the room is counted", async () => {
      arena = (await ask()).find((l) => l.lobbyName === "arena");
      return arena?.gameCount === 1;
    });
    assert.deepEqual({ ...arena }, { lobbyName: "arena", lobbyType: LobbyType.Default, peerCount: 1, gameCount: 1 });
    const named = await ask([["nowhere", LobbyType.Default], ["arena", LobbyType.Default], ["arena", LobbyType.SqlLobby]]);
    assert.deepEqual(
      named.map((l) => [l.lobbyName, l.lobbyType, l.peerCount, l.gameCount]),
      [["nowhere", 0, 0, 0], ["arena", 0, 1, 1], ["arena", 2, 0, 0]], // LB-084
    );
  });

  // WJ-113, LB-135, LB-137, LB-138
  scenario("findFriends knows who is in the lobby, in a room and away", async (world) => {
    const [ann, bob] = await Promise.all(["ann", "bob", "cat"].map((id) => world.lobby(id)));
    await bob.create("r");
    const ask = async () => {
      const nth = ann.friends.length;
      ann.client.findFriends(["cat", "bob", "nobody", "BOB"]);
      await ann.until("the friends come", () => ann.friends.length > nth);
      assert.equal(ann.friends[nth].code, 0);
      return ann.friends[nth].friends;
    };
    const friends = await ask();
    assert.deepEqual(friends.cat, { online: true, roomId: "" });
    assert.deepEqual(friends.bob, { online: true, roomId: "r" });
    assert.deepEqual(friends.nobody, { online: false, roomId: "" });
    assert.deepEqual(friends.BOB, { online: false, roomId: "" });
    await bob.leave();
    await eventually("bob is in no room", async () => (await ask()).bob.roomId === "");
    assert.equal((await ask()).bob.online, true);
    await bob.disconnect();
    await eventually("bob is away", async () => !(await ask()).bob.online, 15_000); // users between two servers stay online for 10 s
  });

  // WJ-104, LB-084, LB-085, LB-116
  scenario("a custom lobby has its own list and its own random matches", async (world) => {
    const arena = { connect: { lobbyName: "arena", lobbyType: LobbyType.Default } };
    const [ann, bob, cat, dan] = await Promise.all([world.lobby("ann", arena), world.lobby("bob", arena), world.lobby("cat"), world.lobby("dan")]);
    await ann.create("in the arena");
    await cat.create("in the default lobby");
    await bob.until("the room is listed", () => bob.rooms().length > 0);
    await dan.until("the room is listed", () => dan.rooms().length > 0);
    assert.deepEqual(bob.rooms(), ["in the arena"]);
    assert.deepEqual(dan.rooms(), ["in the default lobby"]);
    await bob.joinRandom();
    assert.equal(bob.room.name, "in the arena");
    await dan.joinRandom({ lobbyName: "arena", lobbyType: LobbyType.Default });
    assert.equal(dan.room.name, "in the arena");
  });

  // WJ-111, LB-095, LB-125, LB-126, LB-127, LB-129
  scenario("an SQL lobby is searched with SQL filters", async (world) => {
    const sql = { lobbyName: "ranked", lobbyType: LobbyType.SqlLobby };
    const [easy, hard, ann] = await Promise.all([world.lobby("easy"), world.lobby("hard"), world.lobby("ann", { connect: sql })]);
    const options = (level, map) => ({ ...sql, propsListedInLobby: ["C0", "C1"], customGameProperties: { C0: level, C1: map } });
    await easy.create("easy room", options(345, "Map1"));
    await hard.create("hard room", options(900, "Map2"));
    await ann.sees(2);
    const find = async (sqlLobbyFilter) => {
      await ann.joinRandom({ ...sql, sqlLobbyFilter });
      const found = ann.room.name;
      await ann.leave();
      return found;
    };
    assert.equal(await find("C0 BETWEEN 345 AND 475 AND C1 = 'Map1'"), "easy room");
    assert.equal(await find("C0 > 345 AND C0 < 1000 AND (C1 = 'Map2' OR C1 = \"Map3\")"), "hard room");
    assert.equal(await find("c0 >= 900 AND C1 IN ('Map1', 'Map2', 'Map3')"), "hard room");
    assert.equal(await find("C0 = 1; C0 = 2; C0 = 345;"), "easy room");
    const refused = (code, sqlLobbyFilter) =>
      ann.refused(OperationCode.JoinRandomGame, code, () => ann.client.joinRandomRoom({ ...sql, sqlLobbyFilter }));
    await refused(ErrorCode.NoRandomMatchFound, "C0 = 1 AND C1 = 'Map1'");
    await refused(ErrorCode.InvalidOperationCode, "C0 = = 1");
    await refused(ErrorCode.InvalidOperationCode, "C10 = 1");
    await refused(ErrorCode.InvalidOperationCode, "C0 = 1; DROP TABLE rooms");
    await refused(ErrorCode.InvalidOperationCode, "C0=1;C0=2;C0=3;C0=4");
    assert.deepEqual(ann.updates, []); // no lists in an SQL lobby
    assert.deepEqual(ann.rooms(), []);
  });
});
