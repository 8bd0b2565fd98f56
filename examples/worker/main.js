/**
 * A tab lends its Web Worker to others: `node examples/worker/main.js [FILE]`, then open the page. The desk, in Node, sends the
 * file to the tab, the tab transfers both streams to its worker, and that one compresses. The tab's own thread does nothing.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { first, startCoordinator } from "../shared/local-coordinator.js";
import { servePages } from "../shared/page-server.js";

const [file = process.execPath] = process.argv.slice(2);
const { coordinator, url, hash, join } = await startCoordinator();
const pages = await servePages(new URL("./", import.meta.url), { url, hash });
const desk = await join("desk");
console.log(`Open ${pages.url}`);
process.once("SIGINT", () => void end());

const channel = await first(desk.incomingChannels); // when a tab has called
const writable = await channel.createUnidirectionalStream({ name: file });
const sent = measured();
const content = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (Readable.toWeb(createReadStream(file)));
const sending = content.pipeThrough(sent).pipeTo(writable);

const compressed = await first(channel.incomingUnidirectionalStreams);
const [packed, unpacked] = [measured(), measured()];
const back = compressed.pipeThrough(packed).pipeThrough(new DecompressionStream("gzip")).pipeThrough(unpacked);
await Promise.all([sending, back.pipeTo(new WritableStream())]);
const isSame = sent.sha256.digest("hex") === unpacked.sha256.digest("hex");
console.log(`${sent.bytes} bytes, ${packed.bytes} compressed, ${isSame ? "the same" : "NOT the same"} again`);
await channel.close();
await end();

/** A TransformStream that counts what goes through. */
function measured() {
  const sha256 = createHash("sha256");
  /** @type {TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>} */
  const through = new TransformStream({
    transform(chunk, controller) {
      sha256.update(chunk);
      measure.bytes += chunk.length;
      controller.enqueue(chunk);
    },
  });
  const measure = Object.assign(through, { sha256, bytes: 0 });
  return measure;
}

async function end() {
  pages.close();
  await coordinator.close();
}
