// Properties of rooms and players, and the master client.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ErrorCode, OperationCode, State, passed, scenario } from "./player.mjs";

const { SetProperties } = OperationCode;

describe("properties", { concurrency: true }, () => {
  // WJ-138, WJ-139, LB-181
  scenario("room properties in both directions", async (world) => {
    const [ann, bob] = await world.together("r", { customGameProperties: { a: 1, b: { c: [1, 2] } } }, "ann", "bob");
    assert.deepEqual({ ...bob.room.getCustomProperties() }, { a: 1, b: { c: [1, 2] } });
    const changes = ann.roomChanges.length;
    ann.room.setCustomProperty("a", 2);
    await bob.until("a is 2", () => bob.room.getCustomProperty("a") === 2);
    bob.room.setCustomProperties({ a: "é😀", x: 9007199254740991, y: -0.5, z: [null, {}] });
    await ann.until("a is text", () => ann.room.getCustomProperty("a") === "é😀");
    const expected = { a: "é😀", b: { c: [1, 2] }, x: 9007199254740991, y: -0.5, z: [null, {}] };
    for (const p of [ann, bob]) assert.deepEqual({ ...p.room.getCustomProperties() }, expected);
    assert.ok(ann.roomChanges.length > changes);
    ann.room.setCustomProperty("b", null);
    await bob.until("b is null", () => bob.room.getCustomProperty("b") === null);
    const cat = await world.lobby("cat");
    await cat.join("r");
    assert.deepEqual({ ...cat.room.getCustomProperties() }, { ...expected, b: null }); // LB-185
    await passed(ann, bob, cat);
    assert.deepEqual([ann, bob].flatMap((p) => p.responses.filter((r) => r.operation === SetProperties).map((r) => r.code)), [0, 0, 0]);
  });

  // WJ-060 and WJ-061 among JavaScript clients, LB-182
  scenario("actor properties and names in both directions", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    ann.client.myActor().setCustomProperty("hp", 10);
    ann.client.myActor().setName("Ann é😀");
    bob.client.myActor().setCustomProperties({ team: "red", items: [1, "two"] });
    const at = (p, nr) => p.client.myRoomActors()[nr];
    await bob.until("ann's properties come", () => at(bob, 1).getCustomProperty("hp") === 10 && at(bob, 1).name === "Ann é😀");
    await ann.until("bob's properties come", () => at(ann, 2).getCustomProperty("team") === "red");
    assert.deepEqual(at(ann, 2).getCustomProperty("items"), [1, "two"]);
    assert.ok(bob.actorChanges.includes(1) && ann.actorChanges.includes(2));
    at(bob, 1).setCustomProperty("hp", 5); // any player may set those of any other
    await ann.until("ann's own hp changes", () => ann.client.myActor().getCustomProperty("hp") === 5);
    const cat = await world.lobby("cat");
    await cat.join("r");
    assert.equal(at(cat, 1).name, "Ann é😀");
    assert.deepEqual({ ...at(cat, 1).getCustomProperties() }, { hp: 5 });
    assert.deepEqual({ ...at(cat, 2).getCustomProperties() }, { team: "red", items: [1, "two"] });
  });

  // WJ-065, WJ-138, LB-182, LB-183, LB-184
  scenario("check and swap succeeds once and fails without a trace", async (world) => {
    const [ann, bob] = await world.together("r", { customGameProperties: { turn: 1, list: [1, { a: 2 }], text: "5" } }, "ann", "bob");
    const swap = (p, key, value, expected) => p.answer(SetProperties, () => p.room.setCustomProperty(key, value, false, expected));
    assert.equal((await swap(ann, "turn", 2, 1)).code, 0);
    for (const p of [ann, bob]) await p.until("turn is 2", () => p.room.getCustomProperty("turn") === 2); // the setter as well
    for (const [key, expected] of [["turn", 1], ["turn", "2"], ["absent", 1], ["text", 5], ["list", [1, { a: 3 }]]]) {
      const refusal = await swap(bob, key, "wrong", expected);
      assert.equal(refusal.code, ErrorCode.InvalidOperationCode);
      assert.ok(refusal.message);
    }
    await passed(ann, bob);
    for (const p of [ann, bob]) assert.deepEqual({ ...p.room.getCustomProperties() }, { turn: 2, list: [1, { a: 2 }], text: "5" });
    assert.equal((await swap(bob, "list", "new", [1, { a: 2 }])).code, 0); // arrays by element, objects by key
    for (const p of [ann, bob]) await p.until("the list is new", () => p.room.getCustomProperty("list") === "new");
  });

  // LB-187
  scenario("of five players who take the last seat by check and swap one gets it", async (world) => {
    const players = await world.together("r", { customGameProperties: { seat: 0 } }, "a", "b", "c", "d", "e");
    const answers = await Promise.all(players.map((p) => p.answer(SetProperties, () => p.room.setCustomProperty("seat", p.nr, false, 0))));
    const winners = players.filter((_, i) => answers[i].code === 0);
    assert.equal(winners.length, 1);
    for (const p of players) await p.until("the seat is taken", () => p.room.getCustomProperty("seat") === winners[0].nr);
  });

  // WJ-059, WJ-137, WJ-138, LB-185, LB-188: the SDK sends each with the value that it knows as condition
  scenario("setIsOpen, setIsVisible, setMaxPlayers, time to live", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    const cat = await world.lobby("cat");
    await cat.until("the room is listed", () => cat.listed("r"));
    const both = async (what, holds) => {
      for (const p of [ann, bob]) await p.until(what, () => holds(p.room));
    };
    ann.room.setIsOpen(false);
    await both("closed", (r) => r.isOpen === false);
    await cat.until("closed in the list", () => cat.listed("r").isOpen === false);
    await cat.refused(OperationCode.JoinGame, ErrorCode.GameClosed, () => cat.client.joinRoom("r"));
    bob.room.setIsOpen(true);
    await both("open", (r) => r.isOpen === true);
    ann.room.setMaxPlayers(2);
    await both("two players", (r) => r.maxPlayers === 2);
    await cat.until("two players in the list", () => cat.listed("r").maxPlayers === 2 && cat.listed("r").isOpen);
    await cat.refused(OperationCode.JoinGame, ErrorCode.GameFull, () => cat.client.joinRoom("r"));
    bob.room.setMaxPlayers(6);
    await both("six players", (r) => r.maxPlayers === 6);
    bob.room.setIsVisible(false);
    await both("hidden", (r) => r.isVisible === false);
    await cat.until("not in the list", () => !cat.listed("r"));
    ann.room.setEmptyRoomLiveTime(1500);
    ann.room.setSuspendedPlayerLiveTime(2500);
    await bob.until("the times are known", () => bob.room.emptyRoomLiveTime === 1500 && bob.room.suspendedPlayerLiveTime === 2500);
    await cat.join("r");
    const { isOpen, isVisible, maxPlayers, emptyRoomLiveTime, suspendedPlayerLiveTime } = cat.room;
    assert.deepEqual(
      { isOpen, isVisible, maxPlayers, emptyRoomLiveTime, suspendedPlayerLiveTime },
      { isOpen: true, isVisible: false, maxPlayers: 6, emptyRoomLiveTime: 1500, suspendedPlayerLiveTime: 2500 },
    );
    assert.ok([ann, bob].every((p) => p.responses.every((r) => r.operation !== SetProperties || r.code === 0)));
  });

  // LB-188, rooms 4.4: nobody is thrown out by a smaller limit
  scenario("setMaxPlayers below the number of players is refused", async (world) => {
    const [ann, bob] = await world.together("r", { maxPlayers: 4 }, "ann", "bob");
    await ann.refused(SetProperties, ErrorCode.InvalidOperationCode, () => ann.room.setMaxPlayers(1));
    await passed(ann, bob);
    for (const p of [ann, bob]) assert.equal(p.room.maxPlayers, 4);
  });

  // WJ-063, LB-172: what the server owns
  scenario("a player can't forge a user id", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    ann.client.myActor().setCustomProperties({ 253: "forged", hp: 1 });
    await bob.until("hp comes", () => bob.client.myRoomActors()[1].getCustomProperty("hp") === 1);
    const cat = await world.lobby("cat");
    await cat.join("r");
    for (const p of [bob, cat]) assert.equal(p.client.myRoomActors()[1].userId, "ann");
  });

  // WJ-136, WJ-138, LB-190
  scenario("setMasterClient", async (world) => {
    const [ann, bob, cat] = await world.together("r", {}, "ann", "bob", "cat");
    const all = async (nr) => {
      for (const p of [ann, bob, cat]) await p.until(`actor ${nr} is the master client`, () => p.client.myRoomMasterActorNr() === nr);
    };
    await all(1);
    ann.room.setMasterClient(2);
    await all(2);
    cat.room.setMasterClient(3);
    await all(3);
    await ann.refused(SetProperties, ErrorCode.InvalidOperationCode, () => ann.room.setMasterClient(99));
    await passed(ann, bob, cat);
    await all(3);
    const dan = await world.lobby("dan");
    await dan.join("r");
    assert.equal(dan.client.myRoomMasterActorNr(), 3);
  });

  // WJ-136, LB-191
  scenario("when the master client leaves, the lowest number follows", async (world) => {
    const [ann, bob, cat, dan] = await world.together("r", {}, "ann", "bob", "cat", "dan");
    await ann.leave();
    for (const p of [bob, cat, dan]) {
      await p.until("ann left", () => p.left.includes(1));
      assert.equal(p.client.myRoomMasterActorNr(), 2);
    }
    await cat.leave(); // not the master client: nothing changes
    for (const p of [bob, dan]) {
      await p.until("cat left", () => p.left.includes(3));
      assert.equal(p.client.myRoomMasterActorNr(), 2);
    }
    await bob.disconnect();
    await dan.until("bob left", () => dan.left.includes(2));
    assert.equal(dan.client.myRoomMasterActorNr(), 4);
    await ann.join("r");
    assert.equal(ann.client.myRoomMasterActorNr(), 4, "who comes back is not the master client again");
    assert.equal(ann.client.state(), State.Joined);
  });
});
