// Leaving, coming back, and rooms that wait for their players.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { EventCaching, ErrorCode, OperationCode, State, eventually, passed, scenario } from "./player.mjs";

const { CreateGame, JoinGame, Leave } = OperationCode;

describe("leaving", { concurrency: true }, () => {
  // WJ-136, WJ-139, LB-200
  scenario("leaveRoom leads back to the lobby, others see it", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    await bob.leave();
    await ann.until("bob left", () => ann.left.includes(2));
    assert.deepEqual(ann.actors, [1]);
    assert.deepEqual(ann.suspended, []);
    await bob.until("the leave is answered", () => bob.responses.some((r) => r.operation === Leave)); // WJ-139
    assert.equal(bob.responses.find((r) => r.operation === Leave).code, 0);
    await bob.until("the list comes", () => bob.lists.length >= 2);
    await bob.join("r");
    assert.equal(bob.nr, 3);
  });

  // WJ-101, LB-067: the token that the room brought is good on the master again, many times
  scenario("a client goes in and out of rooms ten times", async (world) => {
    const ann = await world.lobby("ann");
    for (let i = 0; i < 10; i++) {
      await ann.create(`r${i}`);
      assert.equal(ann.nr, 1);
      await ann.leave();
    }
  });

  // LB-202
  scenario("a client that disconnects is seen to leave", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    await bob.disconnect();
    await ann.until("bob left", () => ann.left.includes(2));
    assert.deepEqual(ann.actors, [1]);
    assert.deepEqual(ann.suspended, []);
  });

  // WJ-133, WJ-136, WJ-140, LB-163, LB-175, LB-201, LB-240
  scenario("suspendRoom keeps the seat: rejoin with the same number and properties", async (world) => {
    const [ann, bob] = await world.together("r", { maxPlayers: 2, suspendedPlayerLiveTime: 10_000 }, "ann", "bob");
    bob.client.myActor().setName("Bob");
    bob.client.myActor().setCustomProperty("hp", 7);
    bob.client.raiseEvent(1, "bob's own", { cache: EventCaching.AddToRoomCache });
    ann.client.raiseEvent(2, "ann's", { cache: EventCaching.AddToRoomCache });
    await passed(ann, bob);
    await bob.suspend();
    await ann.until("bob is suspended", () => ann.suspended.includes(2));
    assert.deepEqual(ann.left, []);
    assert.deepEqual(ann.actors, [1, 2]);
    assert.equal(ann.client.myRoomActors()[2].isSuspended(), true);

    const cat = await world.lobby("cat");
    await cat.until("the room is listed", () => cat.listed("r")?.playerCount === 2);
    await cat.refused(JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("r")); // LB-166: the seat is kept
    ann.room.setIsOpen(false);
    await ann.until("the room is closed", () => !ann.room.isOpen);

    const heard = bob.events.length;
    await bob.join("r", { rejoin: true }); // works though the room is closed and full
    assert.equal(bob.nr, 2);
    await ann.until("bob is back", () => ann.arrived.filter((nr) => nr === 2).length === 2);
    for (const p of [ann, bob]) {
      const b = p.client.myRoomActors()[2];
      assert.equal(b.name, "Bob");
      assert.equal(b.getCustomProperty("hp"), 7);
      assert.equal(b.isSuspended(), false);
      assert.deepEqual(p.actors, [1, 2]);
    }
    await passed(ann, bob);
    assert.deepEqual(bob.events.slice(heard).filter((e) => e.code < 100).map((e) => e.content), ["ann's"]);
  });

  // LB-201: without time to live there is nothing to come back to
  scenario("suspendRoom without playerTTL leaves for good", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    await bob.suspend();
    await ann.until("bob left", () => ann.left.includes(2));
    assert.deepEqual(ann.suspended, []);
  });

  // LB-162, LB-202, LB-203
  scenario("after playerTTL a suspended player is gone", async (world) => {
    const [ann, bob] = await world.together("r", { suspendedPlayerLiveTime: 700 }, "ann", "bob");
    const start = performance.now();
    await bob.disconnect(); // without a word: suspended as well
    await ann.until("bob is suspended", () => ann.suspended.includes(2));
    await ann.until("bob is gone", () => ann.left.includes(2));
    assert.ok(performance.now() - start >= 690, "not before its time");
    assert.deepEqual(ann.actors, [1]);
    await bob.connect();
    await bob.refusedInTheEnd(JoinGame, ErrorCode.JoinFailedWithRejoinerNotFound, () => bob.client.joinRoom("r", { rejoin: true }));
    await bob.disconnect();
    await bob.connect();
    await bob.join("r");
    assert.equal(bob.nr, 3);
  });

  // LB-161
  scenario("a plain join of a suspended player is refused", async (world) => {
    const [ann, bob] = await world.together("r", { suspendedPlayerLiveTime: 10_000 }, "ann", "bob");
    await bob.suspend();
    await ann.until("bob is suspended", () => ann.suspended.includes(2));
    await bob.refusedInTheEnd(JoinGame, ErrorCode.JoinFailedFoundInactiveJoiner, () => bob.client.joinRoom("r"));
  });

  // LB-192
  scenario("a suspended master client hands over", async (world) => {
    const [ann, bob, cat] = await world.together("r", { suspendedPlayerLiveTime: 10_000 }, "ann", "bob", "cat");
    await ann.suspend();
    for (const p of [bob, cat]) {
      await p.until("ann is suspended", () => p.suspended.includes(1));
      assert.equal(p.client.myRoomMasterActorNr(), 2);
    }
    await ann.join("r", { rejoin: true });
    assert.equal(ann.nr, 1);
    assert.equal(ann.client.myRoomMasterActorNr(), 2);
  });

  // LB-205
  scenario("an empty room lives for emptyRoomLiveTime", async (world) => {
    const [ann, bob] = await Promise.all([world.lobby("ann"), world.lobby("bob")]);
    await ann.create("r", { emptyRoomLiveTime: 1500, customGameProperties: { kept: true } });
    await ann.leave();
    await bob.until("the empty room is listed", () => bob.listed("r")?.playerCount === 0);
    await bob.join("r");
    assert.equal(bob.nr, 2);
    assert.equal(bob.room.getCustomProperty("kept"), true);
    assert.equal(bob.client.myRoomMasterActorNr(), 2);
    await bob.leave();
    await ann.sees(0);
    await ann.refused(JoinGame, ErrorCode.GameDoesNotExist, () => ann.client.joinRoom("r"));
  });

  // LB-205: at once
  scenario("without emptyRoomLiveTime the room ends with its last player", async (world) => {
    const ann = await world.lobby("ann");
    await ann.create("r", { suspendedPlayerLiveTime: 60_000 }); // LB-206: the suspended do not keep it
    await ann.suspend();
    await eventually("the name is free", async () => (await ann.answer(CreateGame, () => ann.client.createRoom("r"))).code === 0);
    await ann.until("the room is joined", () => ann.client.state() === State.Joined);
    assert.equal(ann.nr, 1);
  });

  // LB-207: also of a room that was over before the master heard that it began
  scenario("the name of a room that ended at once is free at once", async (world) => {
    const players = await Promise.all(Array.from({ length: 10 }, (_, i) => world.lobby(`p${i}`)));
    await Promise.all(players.map((p, i) => p.create(`r${i}`).then(() => p.leave())));
    await Promise.all(players.map((p, i) =>
      eventually("the name is free", async () => (await p.answer(CreateGame, () => p.client.createRoom(`r${i}`))).code === 0, 3000)));
    await Promise.all(players.map((p) => p.until("the room is joined", () => p.client.state() === State.Joined)));
  });
});
