/** The Coordinator: lets the two Clients in and introduces them. */
import { Coordinator } from "conec";
import { createSelfSignedCertificate, listen } from "conec/quic";

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
const coordinator = new Coordinator({ authenticate: ({ requestedId }) => ({ id: requestedId }) });
const listener = await listen({ host: "127.0.0.1", port: 0, cert, key });
coordinator.serve(listener);

process.on("disconnect", () => void coordinator.close());
const { host, port } = listener.address;
process.send?.({ type: "listening", url: `https://${host}:${port}`, hash: Buffer.from(hash).toString("hex") });

for await (const _ of coordinator.incomingChannels) {
  if (coordinator.clients.has("sender") && coordinator.clients.has("receiver")) {
    await coordinator.introduce("sender", "receiver");
  }
}
