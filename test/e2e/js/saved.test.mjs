// Rooms that are saved when they are empty and come back with their players: by
// the server's own store, and by a web service (plugins.md 11, docs/persistence.md).
import assert from "node:assert/strict";
import { describe } from "node:test";
import { EventCaching, ErrorCode, OperationCode, eventually, passed, scenario } from "./player.mjs";

const { CreateGame, JoinGame } = OperationCode;

/** gone waits until the master knows no room of this world any more. */
const gone = (player) => player.sees(0);

for (const appId of ["e2e-store", "e2e-webhooks"]) {
  describe(`saved rooms of ${appId}`, { concurrency: true }, () => {
    // PL-119, PL-101, PL-103, LB-205, LB-206
    scenario("a room is left by all and comes back with what was in it", async (world) => {
      const [ann, bob] = await Promise.all(["ann", "bob"].map((id) => world.lobby(id, { appId })));
      const options = { suspendedPlayerLiveTime: 60_000, emptyRoomLiveTime: 100, maxPlayers: 3, customGameProperties: { map: "forest" } };
      await ann.create("r", options);
      await bob.join("r");
      bob.client.myActor().setCustomProperty("hp", 7);
      ann.room.setCustomProperty("turn", 2);
      ann.client.raiseEvent(1, { move: "e4" }, { cache: EventCaching.AddToRoomCache });
      await passed(ann, bob);
      await ann.suspend();
      await bob.suspend();
      await gone(ann);

      // Whoever comes first finds it as it was.
      await bob.join("r", { rejoin: true });
      assert.equal(bob.nr, 2);
      assert.equal(bob.client.myRoomMasterActorNr(), 2);
      assert.deepEqual(bob.actors, [1, 2]);
      assert.equal(bob.client.myActor().getCustomProperty("hp"), 7);
      assert.equal(bob.room.getCustomProperty("map"), "forest");
      assert.equal(bob.room.getCustomProperty("turn"), 2);
      assert.equal(bob.room.maxPlayers, 3);
      await bob.until("the cached event comes", () => bob.events.some((e) => e.code === 1 && e.sender === 1 && e.content.move === "e4" && bob.joined.length > 1));
      await ann.join("r", { rejoin: true });
      assert.equal(ann.nr, 1);
      await bob.until("ann is back", () => bob.arrived.includes(1));

      // A second time, and a newcomer joins it from nowhere. PL-114
      await ann.suspend();
      await bob.suspend();
      await gone(ann);
      const cat = await world.lobby("cat", { appId });
      await cat.join("r");
      assert.equal(cat.nr, 3);

      // The end, for good.
      await ann.join("r", { rejoin: true });
      await bob.join("r", { rejoin: true });
      for (const p of [ann, bob, cat]) await p.leave();
      await gone(ann);
      await ann.refusedInTheEnd(JoinGame, ErrorCode.GameDoesNotExist, () => ann.client.joinRoom("r", { rejoin: true }));
    });

    // PL-120
    scenario("join or create makes a room where none is saved", async (world) => {
      const ann = await world.lobby("ann", { appId });
      await ann.refusedInTheEnd(JoinGame, ErrorCode.GameDoesNotExist, () => ann.client.joinRoom("r"));
      await ann.disconnect();
      await ann.connect();
      await ann.join("r", { createIfNotExists: true });
      assert.equal(ann.nr, 1);
    });

    // LB-162
    scenario("a stranger can't rejoin a saved room", async (world) => {
      const [ann, eve] = await Promise.all(["ann", "eve"].map((id) => world.lobby(id, { appId })));
      await ann.create("r", { suspendedPlayerLiveTime: 60_000 });
      await ann.suspend();
      await gone(ann);
      await eve.refusedInTheEnd(JoinGame, ErrorCode.JoinFailedWithRejoinerNotFound, () => eve.client.joinRoom("r", { rejoin: true }));
      await ann.join("r", { rejoin: true });
      assert.equal(ann.nr, 1);
    });
  });
}

describe("webhooks", { concurrency: true }, () => {
  // PL-118
  scenario("the web service refuses a room", async (world) => {
    const ann = await world.lobby("ann", { appId: "e2e-webhooks" });
    await ann.refusedInTheEnd(CreateGame, ErrorCode.PluginReportedError, () => ann.client.createRoom("forbidden"));
    assert.equal(ann.responses.at(-1).message, "no such rooms here");
  });

  // PL-124, PL-129
  scenario("an event is forwarded, and its failure reported to all", async (world) => {
    const [ann, bob] = await Promise.all(["ann", "bob"].map((id) => world.lobby(id, { appId: "e2e-webhooks" })));
    await ann.create("r");
    await bob.join("r");
    ann.client.raiseEvent(1, "quiet");
    ann.client.raiseEvent(1, "loud", { webForward: true });
    for (const p of [ann, bob]) {
      await p.until("the failure is told", () => p.infos.length > 0);
      assert.deepEqual(p.infos, ["event loud"]);
    }
    await eventually("both events are there", () => bob.events.length === 2);
  });

  // PL-60
  scenario("a plugin that is not there is a mismatch", async (world) => {
    const ann = await world.lobby("ann", { appId: "e2e-webhooks" });
    await ann.refusedInTheEnd(CreateGame, ErrorCode.PluginMismatch, () => ann.client.createRoom("r", { plugins: ["Other"] }));
    await ann.disconnect();
    await ann.connect();
    await ann.create("another", { plugins: ["Webhooks1.2"] });
  });
});
