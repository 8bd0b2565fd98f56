/**
 * Bob sends back to Alice whatever she sends, stream by stream: `node examples/echo/main.js [TEXT...]`.
 * Coordinator, Alice and Bob are one process here, and would not differ on three machines.
 */
import { call, first, startCoordinator } from "../shared/local-coordinator.js";

/** @import { Channel, Client, MessageReadable } from "conec" */

const texts = process.argv.length > 2 ? process.argv.slice(2) : ["hello", "world"];
const { coordinator, join } = await startCoordinator();
const [alice, bob] = await Promise.all([join("alice"), join("bob")]);
void echo(bob);

await call(alice, "bob");
const channel = await first(alice.incomingChannels);
const writable = await channel.createUnidirectionalStream({ name: "words" });
const writer = writable.getWriter();
for (const text of texts) await writer.write(new TextEncoder().encode(text));
await writer.close(); // resolves when Bob's conec has received all of it

const back = await first(channel.incomingUnidirectionalStreams);
for await (const message of back) console.log(`${back.name}: ${new TextDecoder().decode(message)}`);
await Promise.all([alice.close(), bob.close()]); // what was received is confirmed before
await coordinator.close();

/** @param {Client} client */
async function echo(client) {
  for await (const channel of client.incomingChannels) {
    for await (const readable of channel.incomingUnidirectionalStreams) {
      sendBack(channel, readable).catch((error) => console.error(error.message));
    }
  }
}

/** @param {Channel} channel @param {MessageReadable} readable */
async function sendBack(channel, readable) {
  const writable = await channel.createUnidirectionalStream({ name: readable.name });
  await readable.pipeTo(writable); // message by message; an abort at one end arrives at the other
}
