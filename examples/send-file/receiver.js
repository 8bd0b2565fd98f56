/** The Client that receives: `receiver.js URL HASH`. */
import { createHash } from "node:crypto";
import { Client } from "conec";
import { quic } from "conec/quic";

const [url = "", hash = ""] = process.argv.slice(2);
const client = await Client.connect(url, {
  transport: quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }] }),
  id: "receiver",
});
process.on("disconnect", () => void client.close());
process.send?.({ type: "joined" });

for await (const channel of client.incomingChannels) {
  for await (const readable of channel.incomingUnidirectionalStreams) {
    const startMs = performance.now();
    const sha256 = createHash("sha256");
    let bytes = 0;
    let reportedMs = 0;
    const content =
      readable.metadata.compression === "gzip" ? readable.pipeThrough(new DecompressionStream("gzip")) : readable;
    for await (const chunk of content) {
      sha256.update(chunk);
      bytes += chunk.length;
      if (performance.now() - reportedMs > 100) {
        reportedMs = performance.now();
        process.send?.({ type: "progress", bytes });
      }
    }
    const seconds = (performance.now() - startMs) / 1000;
    process.send?.({ type: "progress", bytes });
    process.send?.({ type: "received", bytes, seconds, sha256: sha256.digest("hex") });
  }
}
