// Players for the end-to-end tests: the official SDK's client with everything
// that it reports recorded, and waiting for what it reports.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import Photon from "photon-realtime";

export { Photon };
export const { LoadBalancingClient, Constants } = Photon.LoadBalancing;
export const { State, PeerErrorCode } = LoadBalancingClient;
export const { ErrorCode, EventCaching, LobbyType, MatchmakingMode, OperationCode, ReceiverGroup } = Constants;

// Where the cluster is; test/e2e/main.go sets them.
export const nameServer = variable("E2E_NAMESERVER");
export const master = variable("E2E_MASTER");
export const gameServer = variable("E2E_GAMESERVER");
export const region = variable("E2E_REGION");

function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run "make e2e"`);
  return value;
}

// How long anything that must happen may take. Nothing waits this long unless
// it fails.
const patience = 10_000;

await new Promise((loaded) => Photon.setOnLoad(loaded));

/**
 * Player is one client of the SDK. What its callbacks report is kept in arrays
 * in the order of arrival; until() waits for more.
 */
export class Player {
  constructor(version, userId, { appId = "e2e", protocol = Photon.ConnectionProtocol.Ws } = {}) {
    this.userId = userId;
    this.waiting = new Set();
    this.states = [];
    this.errors = []; // {code, message}: connection level
    this.expectedErrors = 0;
    this.responses = []; // {code, message, operation}: every operation response
    this.events = []; // {code, content, sender}
    this.joined = []; // created: bool
    this.arrived = []; // actor numbers
    this.left = []; // actor numbers
    this.suspended = []; // actor numbers
    this.roomChanges = []; // copies of the custom room properties after each change
    this.actorChanges = []; // actor numbers
    this.lists = []; // room names of each full list
    this.updates = []; // {updated, added, removed}: room names
    this.appStats = [];
    this.lobbyStats = [];
    this.friends = [];
    this.regions = [];
    this.rpcs = [];
    this.infos = [];

    const c = (this.client = new LoadBalancingClient(protocol, appId, version));
    c.setLogLevel(Photon.LogLevel.OFF); // it would write every refused operation to the console
    c.setNameServerAddress(nameServer);
    c.setMasterServerAddress(master);
    if (userId !== undefined) c.setUserId(userId);
    const record = (list, value) => {
      list.push(value);
      for (const look of [...this.waiting]) look();
    };
    const names = (rooms) => rooms.map((r) => r.name).sort();
    c.onStateChange = (state) => record(this.states, state);
    c.onError = (code, message) => record(this.errors, { code, message });
    c.onOperationResponse = (code, message, operation) => record(this.responses, { code, message, operation });
    c.onEvent = (code, content, sender) => record(this.events, { code, content, sender });
    c.onJoinRoom = (created) => record(this.joined, created);
    c.onActorJoin = (actor) => record(this.arrived, actor.actorNr);
    c.onActorLeave = (actor) => record(this.left, actor.actorNr);
    c.onActorSuspend = (actor) => record(this.suspended, actor.actorNr);
    c.onMyRoomPropertiesChange = () => record(this.roomChanges, { ...c.myRoom().getCustomProperties() });
    c.onActorPropertiesChange = (actor) => record(this.actorChanges, actor.actorNr);
    c.onRoomList = (rooms) => record(this.lists, names(rooms));
    c.onRoomListUpdate = (_, updated, added, removed) =>
      record(this.updates, { updated: names(updated), added: names(added), removed: names(removed) });
    c.onAppStats = (code, message, stats) => record(this.appStats, { code, message, stats });
    c.onLobbyStats = (code, message, lobbies) => record(this.lobbyStats, { code, message, lobbies });
    c.onFindFriendsResult = (code, message, friends) => record(this.friends, { code, message, friends });
    c.onGetRegionsResult = (code, message, regions) => record(this.regions, { code, message, regions });
    c.onWebRpcResult = (code, message, path, result, data) => record(this.rpcs, { code, message, path, result, data });
    c.onServerErrorInfo = (info) => record(this.infos, info);
  }

  /** until waits until holds() is true; it is asked after everything the SDK reports. */
  until(what, holds) {
    if (holds()) return Promise.resolve();
    const where = new Error(`${this.userId}: waited in vain until ${what}`);
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        settle(value);
      };
      const look = () => {
        try {
          if (holds()) end(resolve);
        } catch (error) {
          end(reject, error);
        }
      };
      const timer = setTimeout(() => {
        where.message += `; state ${this.stateName()}, errors ${JSON.stringify(this.errors)}, last responses ${JSON.stringify(this.responses.slice(-3))}`;
        end(reject, where);
      }, patience);
      this.waiting.add(look);
    });
  }

  stateName() {
    return LoadBalancingClient.StateToName(this.client.state());
  }

  /** reach waits for a state; a connection error on the way fails at once unless the test expects errors. */
  reach(state) {
    return this.until(`state ${LoadBalancingClient.StateToName(state)}`, () => {
      if (this.errors.length > this.expectedErrors) assert.fail(`${this.userId}: ${JSON.stringify(this.errors)}`);
      return this.client.state() === state;
    });
  }

  /** answer sends an operation and returns the response to it. */
  async answer(operation, send) {
    const before = this.responses.length;
    const response = () => this.responses.slice(before).find((r) => r.operation === operation);
    send();
    await this.until(`operation ${operation} is answered`, response);
    return response();
  }

  /** refused sends an operation and checks that it is refused with this code, at once. */
  async refused(operation, code, send) {
    this.checkRefusal(await this.answer(operation, send), code);
  }

  /**
   * refusedInTheEnd is refused by the master or, for what the master lets
   * through, by the game server. The SDK then stays there: disconnect and
   * connect again.
   */
  async refusedInTheEnd(operation, code, send) {
    const before = this.responses.length;
    const refusal = () => this.responses.slice(before).find((r) => r.operation === operation && r.code !== 0);
    send();
    await this.until(`operation ${operation} is refused`, refusal);
    this.checkRefusal(refusal(), code);
    await this.until("the client stays where it is", () => [State.JoinedLobby, State.ConnectedToGameserver].includes(this.client.state()));
  }

  checkRefusal(response, code) {
    assert.equal(response.code, code, response.message);
    assert.ok(response.message, "a refusal has a message"); // LB-012
  }

  /** sees waits until the master knows of this many rooms; it hears of a room a moment after the room's creator. */
  async sees(rooms) {
    await eventually(`the master knows ${rooms} rooms`, async () => {
      const nth = this.lobbyStats.length;
      this.client.requestLobbyStats();
      await this.until("the statistics come", () => this.lobbyStats.length > nth);
      return this.lobbyStats[nth].lobbies.reduce((sum, l) => sum + l.gameCount, 0) === rooms;
    });
  }

  /** error waits for the next connection error, which the test expects, and returns it. */
  async error() {
    const nth = this.expectedErrors++;
    await this.until("an error is reported", () => this.errors.length > nth);
    return this.errors[nth];
  }

  get room() {
    return this.client.myRoom();
  }

  get nr() {
    return this.client.myActor().actorNr;
  }

  /** actors are the numbers of the actors that this client knows of, ascending; the SDK's array has those twice that came back. */
  get actors() {
    return Object.keys(this.client.myRoomActors())
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** received is the content of each event with this code. */
  received(code) {
    return this.events.filter((e) => e.code === code).map((e) => e.content);
  }

  /** event waits for the nth event with this code (1: the first) and returns it. */
  async event(code, nth = 1) {
    const all = () => this.events.filter((e) => e.code === code);
    await this.until(`event ${code} (${nth})`, () => all().length >= nth);
    return all()[nth - 1];
  }

  rooms() {
    return this.client
      .availableRooms()
      .map((r) => r.name)
      .sort();
  }

  listed(name) {
    return this.client.availableRooms().find((r) => r.name === name);
  }

  // The ways of a player; each returns when the SDK is there.

  async connect(options) {
    this.client.connect(options);
    await this.reach(State.JoinedLobby);
    return this;
  }

  async create(name, options) {
    this.client.createRoom(name, options);
    return this.enter();
  }

  async join(name, options, createOptions) {
    this.client.joinRoom(name, options, createOptions);
    return this.enter();
  }

  async joinRandom(options) {
    this.client.joinRandomRoom(options);
    return this.enter();
  }

  async joinRandomOrCreate(options, name, createOptions) {
    this.client.joinRandomOrCreateRoom(options, name, createOptions);
    return this.enter();
  }

  /** enter waits until this player is in a room and its own Join event has come, and fails when it was refused. */
  async enter() {
    const joins = this.joined.length;
    const arrivals = this.arrived.length;
    const responses = this.responses.length;
    await this.until("the room is joined", () => {
      const refused = this.responses.slice(responses).find((r) => r.code !== 0);
      if (refused) assert.fail(`${this.userId}: ${JSON.stringify(refused)}`);
      if (this.errors.length > this.expectedErrors) assert.fail(`${this.userId}: ${JSON.stringify(this.errors)}`);
      return this.client.state() === State.Joined && this.joined.length > joins && this.arrived.length > arrivals;
    });
    await this.arrive();
    return this;
  }

  /**
   * arrive waits until the SDK has closed its connection to the master, which no
   * callback reports. Who leaves the room before that gets the closing connection back
   * as if it were a new one.
   */
  async arrive() {
    await this.until("the room is joined", () => this.client.isJoinedToRoom());
    await eventually("the master connection is closed", () => !this.client.isConnectedToMaster());
  }

  async leave() {
    this.client.leaveRoom();
    await this.reach(State.JoinedLobby);
  }

  async suspend() {
    this.client.suspendRoom();
    await this.reach(State.JoinedLobby);
  }

  async disconnect() {
    if ([State.Uninitialized, State.Disconnected].includes(this.client.state())) return;
    this.client.disconnect();
    await this.until("the connection is closed", () => [State.Disconnected, State.Error].includes(this.client.state()));
  }
}

/**
 * World is what one scenario plays in: an application version of its own, so
 * that scenarios do not see each other's rooms and can run side by side.
 */
class World {
  constructor() {
    this.version = randomUUID();
    this.players = [];
  }

  /** player makes a client that is not connected yet. */
  player(userId, { version = this.version, ...options } = {}) {
    const p = new Player(version, userId, options);
    this.players.push(p);
    return p;
  }

  /** lobby makes a client that is in the master's lobby. */
  lobby(userId, options = {}) {
    return this.player(userId, options).connect(options.connect);
  }

  /** together makes clients in one room, the first of which created it; actor numbers follow the order. */
  async together(room, options, ...userIds) {
    const players = await Promise.all(userIds.map((id) => this.lobby(id)));
    await players[0].create(room, options);
    for (const p of players.slice(1)) await p.join(room);
    for (const p of players) await p.until("everyone is there", () => p.actors.length === players.length);
    return players;
  }

  async close() {
    await Promise.all(this.players.map((p) => p.disconnect()));
  }
}

/** scenario is a test with a world, which is cleaned up behind it; an error that the scenario did not expect fails it. */
export function scenario(name, play) {
  test(name, { timeout: 30_000 }, async () => {
    const world = new World();
    try {
      await play(world);
      for (const p of world.players) assert.deepEqual(p.errors.slice(p.expectedErrors), [], `errors of ${p.userId}`);
    } finally {
      await world.close();
    }
  });
}

/** eventually asks holds() again and again until it is true: for what no callback reports. */
export async function eventually(what, holds, limit = patience) {
  const end = performance.now() + limit;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await delay(20);
  }
}

/** passed waits until everything that was under way between the players of a room has arrived: a round trip of each of them to all. */
export async function passed(...players) {
  const mark = randomUUID();
  for (const p of players) p.client.raiseEvent(199, mark, { receivers: ReceiverGroup.All });
  for (const p of players) {
    await p.until("everyone's mark has come", () => p.events.filter((e) => e.code === 199 && e.content === mark).length === players.length);
  }
}
