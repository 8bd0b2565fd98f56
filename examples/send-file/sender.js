/** The Client that sends: `sender.js URL HASH FILE [gzip]`. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { Client } from "conec";
import { quic } from "conec/quic";

const [url = "", hash = "", file = "", compression = ""] = process.argv.slice(2);
const client = await Client.connect(url, {
  transport: quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }] }),
  id: "sender",
});
process.on("disconnect", () => void client.close());
process.send?.({ type: "joined" });

for await (const channel of client.incomingChannels) {
  const writable = await channel.createUnidirectionalStream({ name: basename(file), metadata: { compression } });
  const sha256 = createHash("sha256");
  /** @type {TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>} */
  const hashed = new TransformStream({
    transform(chunk, controller) {
      sha256.update(chunk);
      controller.enqueue(chunk);
    },
  });
  const content = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (
    Readable.toWeb(createReadStream(file, { highWaterMark: 65_536 }))
  ).pipeThrough(hashed);
  const source = compression === "gzip" ? content.pipeThrough(new CompressionStream("gzip")) : content;
  try {
    await source.pipeTo(writable); // resolves when the other Client has received everything
  } catch (error) {
    if (!process.connected) break; // Ctrl-C: the Client was closed on purpose
    throw error;
  }
  process.send?.({ type: "sent", sha256: sha256.digest("hex") });
}
