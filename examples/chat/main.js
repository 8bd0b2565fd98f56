/**
 * A chat of any number of tabs: `node examples/chat/main.js`, then open the page as often as you like. What one says goes to
 * the Coordinator, which tells all. Who does not listen loses lines, and holds up nobody.
 */
import { Coordinator } from "conec";
import { createSelfSignedCertificate, listen } from "conec/quic";
import { servePages } from "../shared/page-server.js";

/** @import { Channel, MessageWritable } from "conec" */

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
const coordinator = new Coordinator({ limits: { maxMessageBytes: 4096 } });
const listener = await listen({ host: "127.0.0.1", port: 0, cert, key });
coordinator.serve(listener);

const pages = await servePages(new URL("./", import.meta.url), {
  url: `https://127.0.0.1:${listener.address.port}`,
  hash,
});
console.log(`Open ${pages.url} in some tabs`);
process.once("SIGINT", async () => {
  pages.close();
  await coordinator.close();
});

/** @type {Set<MessageWritable>} What everyone hears. */
const listeners = new Set();

for await (const channel of coordinator.incomingChannels) {
  welcome(channel).catch((error) => console.error(error.message));
}

/** @param {Channel} channel */
async function welcome(channel) {
  const writable = await channel.createUnidirectionalStream({ name: "chat" });
  listeners.add(writable);
  tell(`${channel.peer.id} is here`);
  try {
    for await (const readable of channel.incomingUnidirectionalStreams) {
      for await (const message of readable) tell(`${channel.peer.id}: ${new TextDecoder().decode(message)}`);
    }
  } catch {
    // The tab was closed.
  } finally {
    listeners.delete(writable);
    tell(`${channel.peer.id} has left`);
  }
}

/** @param {string} line */
function tell(line) {
  const message = new TextEncoder().encode(line);
  for (const writable of listeners) {
    try {
      writable.tryWrite(message); // false if its tab is too slow: then without this line
    } catch {
      listeners.delete(writable);
    }
  }
}
