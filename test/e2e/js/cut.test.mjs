// Connections that break. These scenarios run one after the other: they find a
// client's connection by its being the newest.
import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { describe } from "node:test";
import { ErrorCode, LoadBalancingClient, OperationCode, State, gameServer, passed, scenario } from "./player.mjs";

const { JoinGame } = OperationCode;
const { PeerErrorCode } = LoadBalancingClient;

// Every TCP connection that this process makes, in order.
const sockets = [];
subscribe("net.client.socket", ({ socket }) => sockets.push(socket));

/** lastGameSocket is the newest open connection to the game server. */
function lastGameSocket() {
  const port = Number(gameServer.split(":").at(-1));
  return sockets.findLast((s) => s.remotePort === port && !s.destroyed);
}

/** inRoom brings ann and then bob into a room, and returns bob's connection too. */
async function inRoom(world, options) {
  const [ann, bob] = await world.together("r", options, "ann", "bob");
  return { ann, bob, socket: lastGameSocket() };
}

describe("connections that break", () => {
  // WJ-142, LB-202
  scenario("a reset connection: gone at once without playerTTL", async (world) => {
    const { ann, bob, socket } = await inRoom(world, {});
    bob.expectedErrors = Infinity;
    socket.resetAndDestroy();
    await ann.until("bob left", () => ann.left.includes(2));
    await bob.until("bob's SDK reports it", () => bob.client.state() === State.Error);
    assert.ok([PeerErrorCode.GameTimeout, PeerErrorCode.GameConnectClosed].includes(bob.errors[0].code));
    assert.deepEqual(ann.actors, [1]);
  });

  // WJ-142, WJ-143, LB-291
  scenario("reconnectAndRejoin after the server noticed", async (world) => {
    const { ann, bob, socket } = await inRoom(world, { suspendedPlayerLiveTime: 10_000 });
    bob.expectedErrors = Infinity;
    bob.client.myActor().setCustomProperty("hp", 3);
    await passed(ann, bob);
    socket.resetAndDestroy();
    await ann.until("bob is suspended", () => ann.suspended.includes(2));
    await bob.until("bob's SDK reports it", () => bob.client.state() === State.Error);
    const back = bob.enter();
    assert.equal(bob.client.reconnectAndRejoin(), true);
    await back;
    assert.equal(bob.nr, 2);
    await ann.until("bob is back", () => ann.arrived.filter((nr) => nr === 2).length === 2);
    assert.equal(ann.client.myRoomActors()[2].getCustomProperty("hp"), 3);
    assert.deepEqual(ann.left, []);
    await passed(ann, bob);
  });

  // WJ-143, LB-164, LB-291: the old connection is alive but silent, as after a change of networks
  scenario("reconnectAndRejoin before the server noticed", async (world) => {
    const { ann, bob, socket } = await inRoom(world, { suspendedPlayerLiveTime: 10_000 });
    bob.expectedErrors = Infinity;
    // What bob's side writes, and that it closes, no longer gets to the server.
    const { destroy } = socket;
    socket.write = socket.end = () => true;
    socket.destroy = () => socket;
    const ended = new Promise((resolve) => socket.once("end", resolve));
    try {
      bob.client.disconnect();
      await bob.until("bob is disconnected", () => bob.client.state() === State.Disconnected);
      assert.deepEqual(ann.suspended, []);
      const back = bob.enter();
      assert.equal(bob.client.reconnectAndRejoin(), true);
      await back;
      assert.equal(bob.nr, 2);
      await passed(ann, bob);
      assert.deepEqual(ann.left, []);
      assert.deepEqual(ann.suspended, [], "the old connection's end is not a leave");
      assert.deepEqual(ann.actors, [1, 2]);
      await ended; // the server closes the old connection
    } finally {
      destroy.call(socket);
    }
  });

  // WJ-143, LB-164: another session of the same user is not the same player
  scenario("a stranger with the same user id can't take over an active player", async (world) => {
    const [ann] = await world.together("r", { suspendedPlayerLiveTime: 10_000 }, "ann", "bob");
    const thief = await world.lobby("bob");
    await thief.refusedInTheEnd(JoinGame, ErrorCode.JoinFailedFoundActiveJoiner, () => thief.client.joinRoom("r", { rejoin: true }));
    assert.deepEqual(ann.actors, [1, 2]);
    assert.deepEqual(ann.left, []);
  });

  // WJ-143
  scenario("reconnectAndRejoin of a room that is gone is refused", async (world) => {
    const bob = await world.lobby("bob");
    await bob.create("r");
    await bob.disconnect();
    await bob.refusedInTheEnd(JoinGame, ErrorCode.GameDoesNotExist, () => bob.client.reconnectAndRejoin());
  });

  // WJ-101: also the way back to the master
  scenario("reconnectToMaster after the connection broke", async (world) => {
    const { ann, bob, socket } = await inRoom(world, {});
    bob.expectedErrors = Infinity;
    socket.resetAndDestroy();
    await bob.until("bob's SDK reports it", () => bob.client.state() === State.Error);
    assert.equal(bob.client.reconnectToMaster(), true);
    await bob.reach(State.JoinedLobby);
    await ann.until("bob left", () => ann.left.includes(2));
    await bob.join("r");
    assert.equal(bob.nr, 3);
  });
});
