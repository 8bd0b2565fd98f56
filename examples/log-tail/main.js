/**
 * Follows a file, as `tail -f` does, on one Client, and prints its new lines on another: `node examples/log-tail/main.js FILE`.
 * The reader decides how fast it goes: while it does not read, nothing is read from the file.
 */
import { tail } from "./tail.js";
import { call, first, startCoordinator } from "../shared/local-coordinator.js";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("Which file?");

const { coordinator, join } = await startCoordinator();
const [server, desk] = await Promise.all([join("server"), join("desk")]);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

// On the server. The desk's leaving cancels the stream, which stops the watching of the file.
const following = (async () => {
  const channel = await first(server.incomingChannels);
  const writable = await channel.createUnidirectionalStream({ name: file });
  const lines = await tail(file, stop.signal);
  console.log(`Following ${file}`);
  await lines.pipeTo(writable);
})();

// At the desk.
await call(desk, "server");
const channel = await first(desk.incomingChannels);
const readable = await first(channel.incomingUnidirectionalStreams);
for await (const text of readable.pipeThrough(new TextDecoderStream())) process.stdout.write(text);

await following;
await coordinator.close();
