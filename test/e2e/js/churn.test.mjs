// Long coming and going. After all tests test/e2e/main.go checks that neither
// clients nor rooms are left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomUUID } from "node:crypto";
import { Player } from "./player.mjs";

// LB-292: 500 cycles of connect, random or create, leave with 50 clients.
test("fifty clients come, play and go ten times each", { timeout: 120_000 }, async () => {
  const version = randomUUID();
  const players = Array.from({ length: 50 }, (_, i) => new Player(version, `p${i}`));
  const filter = { expectedCustomRoomProperties: { mode: "churn" } };
  const options = { maxPlayers: 4, propsListedInLobby: ["mode"], customGameProperties: { mode: "churn" } };
  let refused = 0;
  await Promise.all(players.map(async (p, nr) => {
    for (let i = 0; i < 10; i++) {
      await p.connect();
      for (;;) {
        // A room may fill or end while a client is on its way; the game then tries again.
        const responses = p.responses.length;
        try {
          await p.joinRandomOrCreate(filter, undefined, options);
          break;
        } catch (error) {
          const refusal = p.responses.slice(responses).find((r) => r.code !== 0);
          if (!refusal || ++refused > 100) throw error;
          await p.disconnect();
          await p.connect();
        }
      }
      p.client.raiseEvent(7, { nr, i });
      await p.leave();
      await p.disconnect();
    }
  }));
  for (const p of players) assert.deepEqual(p.errors, []);
  const watcher = new Player(version, "watcher");
  await watcher.connect();
  await watcher.until("all is gone", () => {
    const last = watcher.appStats.at(-1)?.stats;
    return last && last.gameCount === 0 && last.peerCount === 0 && last.masterPeerCount === 1;
  });
  await watcher.disconnect();
});
