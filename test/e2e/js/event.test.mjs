// Events: values, receivers, cache, interest groups, amounts.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { EventCaching, ReceiverGroup, passed, scenario } from "./player.mjs";

const { AddToRoomCache, AddToRoomCacheGlobal, RemoveFromRoomCache } = EventCaching;

/** exact checks that raising each value delivers what came to be of it, to another client and back to the sender. */
async function exact(world, values) {
  const [ann, bob] = await world.together("r", {}, "ann", "bob");
  for (const [value] of values) ann.client.raiseEvent(1, value, { receivers: ReceiverGroup.All });
  await passed(ann, bob);
  for (const p of [ann, bob]) {
    const got = p.received(1);
    assert.equal(got.length, values.length);
    for (const [i, [value, expected = value]] of values.entries()) {
      assert.deepStrictEqual(got[i], expected, `value ${i} at ${p.userId}`);
      assert.ok(typeof expected !== "number" || Object.is(got[i], expected), `${got[i]} is not exactly ${expected}`);
    }
  }
}

describe("events", { concurrency: true }, () => {
  // WJ-050
  scenario("numbers arrive exactly", (world) =>
    exact(world, [
      [0], [-1], [1.5], [0.1], [-0.25], [2147483647], [2147483648], [-2147483648], [-2147483649], [4294967296],
      [Number.MAX_SAFE_INTEGER], [Number.MIN_SAFE_INTEGER], [1e15], [1e20], [1e21], [1e-7], [5e-324], [1.7976931348623157e308],
      [NaN, null], [Infinity, null], // the SDK writes null
    ]));

  // WJ-051, WJ-020, WJ-026
  scenario("strings arrive exactly", (world) =>
    exact(world, [
      [""], ["a"], ["é😀 ñ 漢字 עברית"], ["👨‍👩‍👧‍👦"], ["a\u0000b"], ["\u2028\u2029"], ["\u0001\u001f\t\n\r\b\f\\\"/"], ["<script>&amp;'</script>"],
      ["~m~5~m~hello"], ["~m~29~m~~j~{\"evt\":7,\"vals\":[]}"], ["~j~{}"], ["~h~1"],
      ["\ud800", "\ufffd"], ["a\udc00b", "a\ufffdb"], ["x".repeat(100_000)], ["é😀".repeat(20_000)],
      ["\ufeff"], ["\u007f\u0080\uffff"],
    ]));

  // WJ-052
  scenario("other values arrive exactly", (world) => {
    const deep = (depth) => (depth === 0 ? "end" : { inner: [deep(depth - 1)] });
    return exact(world, [
      [null], [undefined, null], [true], [false], [[]], [{}], [[[]]], [[[], {}, [{}]]], [[null, null]], [deep(8)],
      [[1, "two", 3.5, true, null, [4, ["5"]], { six: 6 }]], [{ a: [1, { b: [{ c: null }] }] }],
      [{ "": 1, 1: 2, "-1": 3, "1.5": 4, "007": 5 }], [{ 255: 1, 254: true, 0: "x" }],
      [{ "é😀": "\u2028" }], [{ x: undefined }, {}], [new Date(0), "1970-01-01T00:00:00.000Z"], [new Uint8Array([1, 2]), { 0: 1, 1: 2 }],
      [{ __proto__: null, hasOwnProperty: 1, constructor: "c" }, { hasOwnProperty: 1, constructor: "c" }],
    ]);
  });

  // WJ-146, LB-220, LB-222
  scenario("receivers: others, all, the master client", async (world) => {
    const players = await world.together("r", {}, "ann", "bob", "cat");
    const [ann, bob, cat] = players;
    bob.client.raiseEvent(1, "others");
    bob.client.raiseEvent(2, "all", { receivers: ReceiverGroup.All });
    bob.client.raiseEvent(3, "master", { receivers: ReceiverGroup.MasterClient });
    ann.client.raiseEvent(4, "master itself", { receivers: ReceiverGroup.MasterClient });
    bob.client.raiseEvent(5); // no content: null
    await passed(...players);
    const heard = (p) => p.events.filter((e) => e.code < 100).sort((a, b) => a.code - b.code).map((e) => [e.code, e.content, e.sender]);
    assert.deepEqual(heard(ann), [[1, "others", 2], [2, "all", 2], [3, "master", 2], [4, "master itself", 1], [5, null, 2]]);
    assert.deepEqual(heard(bob), [[2, "all", 2]]);
    assert.deepEqual(heard(cat), [[1, "others", 2], [2, "all", 2], [5, null, 2]]);
    assert.ok(players.every((p) => !p.responses.some((r) => r.operation === 253)), "RaiseEvent has no response");
  });

  // LB-221: by the numbers of 252, which also name the sender
  scenario("target actors", async (world) => {
    const players = await world.together("r", {}, "ann", "bob", "cat");
    const [ann, bob, cat] = players;
    ann.client.raiseEvent(1, "bob and nobody", { targetActors: [2, 99] });
    ann.client.raiseEvent(2, "cat and ann", { targetActors: [3, 1] });
    await passed(...players);
    assert.deepEqual([ann, bob, cat].map((p) => p.events.filter((e) => e.code < 100).map((e) => e.code)), [[2], [1], [2]]);
  });

  // WJ-145, LB-224, LB-260
  scenario("interest groups", async (world) => {
    const players = await world.together("r", {}, "ann", "bob", "cat");
    const [ann, bob, cat] = players;
    const round = async () => {
      const from = players.map((p) => p.events.length);
      for (const group of [1, 2, 3]) ann.client.raiseEvent(group, group, { interestGroup: group });
      await passed(...players);
      return players.map((p, i) => p.events.slice(from[i]).filter((e) => e.code < 100).map((e) => e.code));
    };
    assert.deepEqual(await round(), [[], [], []]);
    for (const p of players) p.client.changeGroups(null, [1]);
    bob.client.changeGroups(undefined, [2]);
    await passed(...players);
    assert.deepEqual(await round(), [[], [1, 2], [1]]); // the sender hears nothing, though subscribed
    cat.client.changeGroups([1], [2, 3]);
    bob.client.changeGroups([], [3]); // all of them, then 3
    await passed(...players);
    assert.deepEqual(await round(), [[], [3], [2, 3]]);
    cat.client.changeGroups([2, 3], [2]); // in both lists: subscribed
    bob.client.changeGroups([], null);
    await passed(...players);
    assert.deepEqual(await round(), [[], [], [2]]);
  });

  // WJ-147, LB-240, LB-241, LB-242
  scenario("cached events reach those who come later, in order, and can be removed", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    for (let i = 0; i < 50; i++) ann.client.raiseEvent(1, { i, kind: i % 2 ? "odd" : "even" }, { cache: AddToRoomCache });
    bob.client.raiseEvent(2, "bob's", { cache: AddToRoomCache });
    await passed(ann, bob);
    ann.client.raiseEvent(3, "global", { cache: AddToRoomCacheGlobal });
    ann.client.raiseEvent(4, "not cached");
    ann.client.raiseEvent(5, "to bob alone, so not cached", { cache: AddToRoomCache, targetActors: [2] }); // LB-244
    await passed(ann, bob);
    assert.deepEqual(bob.events.filter((e) => e.code === 3).map((e) => e.sender), [1], "live receivers see the sender");

    const cat = await world.lobby("cat");
    await cat.join("r");
    await passed(ann, bob, cat);
    const heard = cat.events.filter((e) => e.code < 100);
    assert.deepEqual(heard.filter((e) => e.code === 1).map((e) => e.content.i), Array.from({ length: 50 }, (_, i) => i));
    assert.deepEqual(heard.filter((e) => e.code !== 1), [{ code: 2, content: "bob's", sender: 2 }, { code: 3, content: "global", sender: 0 }]);

    // WJ-067, LB-245, LB-246
    ann.client.raiseEvent(1, { kind: "odd" }, { cache: RemoveFromRoomCache });
    ann.client.raiseEvent(0, null, { cache: RemoveFromRoomCache, targetActors: [2] }); // all of bob's
    await passed(ann, bob, cat);
    assert.equal(bob.received(1).length, 50, "nobody hears of a removal");
    const dan = await world.lobby("dan");
    await dan.join("r");
    await passed(ann, bob, cat, dan);
    assert.deepEqual(dan.received(1).map((c) => c.kind), Array(25).fill("even"));
    assert.deepEqual(dan.received(2), []);
    assert.deepEqual(dan.received(3), ["global"]);
  });

  // LB-249: the SDK always asks for it
  scenario("cached events of a player who leaves are gone, global ones stay", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    bob.client.raiseEvent(1, "bob's", { cache: AddToRoomCache });
    bob.client.raiseEvent(2, "global", { cache: AddToRoomCacheGlobal });
    await passed(ann, bob);
    await bob.leave();
    await ann.until("bob left", () => ann.left.includes(2));
    const cat = await world.lobby("cat");
    await cat.join("r");
    await passed(ann, cat);
    assert.deepEqual(cat.events.filter((e) => e.code < 100), [{ code: 2, content: "global", sender: 0 }]);
  });

  // LB-251: the older kinds of caching, one entry per player and code
  scenario("merge, replace and remove", async (world) => {
    const { MergeCache, ReplaceCache, RemoveCache } = EventCaching;
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    const raise = (code, content, cache) => ann.client.raiseEvent(code, content, { cache });
    raise(1, { a: 1, b: 2 }, MergeCache);
    raise(1, { b: null, c: 3 }, MergeCache);
    raise(2, "first", ReplaceCache);
    raise(2, "second", ReplaceCache);
    raise(3, "x", ReplaceCache);
    raise(3, null, RemoveCache);
    await passed(ann, bob);
    assert.deepEqual(bob.received(1), [{ a: 1, b: 2 }, { b: null, c: 3 }]);
    const cat = await world.lobby("cat");
    await cat.join("r");
    await passed(ann, bob, cat);
    assert.deepEqual(cat.events.filter((e) => e.code < 100), [{ code: 1, content: { a: 1, c: 3 }, sender: 1 }, { code: 2, content: "second", sender: 1 }]);
  });

  // LB-243: what happens while someone joins is neither lost nor doubled
  scenario("a newcomer in the middle of a stream misses and doubles nothing", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    const cat = await world.lobby("cat");
    let i = 0;
    const stream = setInterval(() => ann.client.raiseEvent(1, i++, { cache: AddToRoomCache }), 1);
    try {
      await bob.event(1, 20);
      await cat.join("r");
      const cached = cat.received(1).length;
      await cat.event(1, cached + 20);
    } finally {
      clearInterval(stream);
    }
    await passed(...world.players);
    assert.deepEqual(cat.received(1), Array.from({ length: i }, (_, n) => n));
  });

  // WJ-148
  scenario("a room tells that something went wrong in it", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    for (let i = 0; i <= 10_000; i++) ann.client.raiseEvent(1, i, { cache: AddToRoomCache });
    for (const p of [ann, bob]) {
      await p.until("the error information comes", () => p.infos.length > 0);
      assert.equal(p.infos.length, 1);
      assert.match(p.infos[0], /cache is full/);
    }
    await passed(ann, bob); // play goes on
  });

  // WJ-006, WJ-149, LB-226
  scenario("a burst of 1000 events of two senders arrives in order", async (world) => {
    const [ann, bob, cat] = await world.together("r", {}, "ann", "bob", "cat");
    for (let i = 0; i < 1000; i++) {
      ann.client.raiseEvent(1, i);
      bob.client.raiseEvent(2, { i, text: "é😀" });
    }
    await passed(ann, bob, cat);
    const numbers = Array.from({ length: 1000 }, (_, i) => i);
    assert.deepEqual(cat.received(1), numbers);
    assert.deepEqual(bob.received(1), numbers);
    assert.deepEqual(cat.received(2).map((c) => c.i), numbers);
    assert.deepEqual(ann.received(2).map((c) => c.i), numbers);
  });

  // WJ-149
  scenario("an event of 100 KB", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    const numbers = Array.from({ length: 10_000 }, (_, i) => i * 123_456);
    const text = "The quick brown 🦊. ".repeat(5_000);
    ann.client.raiseEvent(1, { numbers, text }, { cache: AddToRoomCache });
    assert.deepEqual((await bob.event(1)).content, { numbers, text });
    const cat = await world.lobby("cat");
    await cat.join("r");
    assert.deepEqual((await cat.event(1)).content, { numbers, text });
  });

  // Codes that clients take for the server's word are refused, all others delivered (LB-229).
  scenario("event codes", async (world) => {
    const [ann, bob] = await world.together("r", {}, "ann", "bob");
    const reserved = [223, 224, 226, 229, 230, 250, 251, 252, 253, 254, 255];
    for (let code = 0; code < 256; code++) if (code !== 199) ann.client.raiseEvent(code, code);
    await passed(ann, bob);
    const expected = Array.from({ length: 256 }, (_, i) => i).filter((i) => i !== 199 && !reserved.includes(i));
    assert.deepEqual(bob.events.filter((e) => e.sender === 1 && e.code !== 199).map((e) => e.code), expected);
    const refused = ann.responses.filter((r) => r.operation === 253);
    assert.deepEqual(refused.map((r) => r.code), reserved.map(() => -2));
  });
});
