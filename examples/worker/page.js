import { Client, webtransport } from "conec/browser";

const { url, hash } = await (await fetch("/coordinator.json")).json();
const serverCertificateHashes = [{ algorithm: "sha-256", value: new Uint8Array(hash) }];
const client = await Client.connect(url, { transport: webtransport({ serverCertificateHashes }) });
const worker = new Worker("/worker.js", { type: "module" });

const request = await client.coordinator.createUnidirectionalStream({ name: "call", metadata: { to: "desk" } });
await request.close();
for await (const channel of client.incomingChannels) {
  for await (const readable of channel.incomingUnidirectionalStreams) {
    const writable = await channel.createUnidirectionalStream({ name: `${readable.name}.gz` });
    worker.postMessage({ readable, writable }, [readable, writable]); // there they are plain streams of Uint8Arrays
  }
}
