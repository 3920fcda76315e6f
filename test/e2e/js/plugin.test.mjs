// Rooms with a plugin that was dropped into the server's directory as WebAssembly:
// the chat filter of examples/chatfilter (docs/wasm-plugins.md).
import { describe } from "node:test";
import assert from "node:assert/strict";
import { ErrorCode, OperationCode, scenario } from "./player.mjs";

const { CreateGame, RaiseEvent } = OperationCode;
const appId = "e2e-wasm";
const chat = 10;

describe("drop-in plugins", { concurrency: true }, () => {
  // PL-132
  scenario("a room with a plugin that clients ask for by its name", async (world) => {
    const [ann, bob] = await Promise.all(["ann", "bob"].map((id) => world.lobby(id, { appId })));
    await ann.create("r", { plugins: ["ChatFilter"] });
    await bob.join("r", {}, { plugins: ["ChatFilter"] });
    ann.client.raiseEvent(chat, "boo to you");
    ann.client.raiseEvent(1, "boo to you"); // no chat
    await bob.until("the events come", () => bob.events.filter((e) => e.code === chat || e.code === 1).length === 2);
    assert.deepEqual(
      bob.events.filter((e) => e.code === chat || e.code === 1).map((e) => e.content),
      ["*** to you", "boo to you"],
    );
    // What is no text is refused, and nobody hears of it.
    await ann.refused(RaiseEvent, ErrorCode.PluginReportedError, () => ann.client.raiseEvent(chat, { no: "text" }));
    ann.client.raiseEvent(chat, "bye");
    await bob.until("the next line comes", () => bob.events.some((e) => e.content === "bye"));
    assert.equal(bob.events.filter((e) => e.code === chat).length, 2);
  });

  scenario("a plugin that is not in the directory", async (world) => {
    const ann = await world.lobby("ann", { appId });
    await ann.refusedInTheEnd(CreateGame, ErrorCode.PluginMismatch, () => ann.client.createRoom("r", { plugins: ["NoSuch"] }));
  });
});
