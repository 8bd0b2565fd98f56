/**
 * A Client without a way to the web gets a page through one that has it: `node examples/fetch/main.js URL`.
 * The body goes from the web server to the one that asked as it comes, and no faster than that one reads.
 */
import { call, first, startCoordinator } from "../shared/local-coordinator.js";

/** @import { Client, Channel } from "conec" */

const [url = ""] = process.argv.slice(2);
const { coordinator, join } = await startCoordinator();
const [gateway, inside] = await Promise.all([join("gateway"), join("inside")]);
void fetchForOthers(gateway);

await call(inside, "gateway");
const channel = await first(inside.incomingChannels);
const request = await channel.createUnidirectionalStream({ name: url });
await request.close();

const answer = await first(channel.incomingUnidirectionalStreams);
let bytes = 0;
for await (const chunk of answer) bytes += chunk.length;
console.log(answer.metadata, `${bytes} bytes`);
await Promise.all([inside.close(), gateway.close()]); // what was received is confirmed before
await coordinator.close();

/** @param {Client} client */
async function fetchForOthers(client) {
  for await (const channel of client.incomingChannels) {
    for await (const { name } of channel.incomingUnidirectionalStreams) {
      answerWith(channel, name).catch((error) => console.error(error.message));
    }
  }
}

/** @param {Channel} channel @param {string} url of anything that this machine reaches: only for those whom you trust */
async function answerWith(channel, url) {
  const response = await fetch(url).catch((error) => Response.json(error.message, { status: 502 }));
  const type = response.headers.get("content-type");
  const writable = await channel.createUnidirectionalStream({ name: url, metadata: { status: response.status, type } });
  if (response.body === null) await writable.close();
  else await response.body.pipeTo(writable); // a reader that cancels ends the download
}
