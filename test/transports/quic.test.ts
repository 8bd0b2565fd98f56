import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import type { QuicListenOptions, QuicOptions } from "../../src/transports/quic/index.ts";
import { transportContract } from "./contract.ts";
import type { ConnectedPair } from "./contract.ts";

const { cert, key, hash } = createSelfSignedCertificate();
const pinned = { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] };

async function connectedPair(
  clientOptions: QuicOptions = {},
  serverOptions: Partial<QuicListenOptions> = {},
): Promise<ConnectedPair> {
  const listener = await listen({ host: "127.0.0.1", cert, key, ...serverOptions });
  const accepted = listener.incomingConnections.getReader().read();
  const client = await quic({ ...pinned, ...clientOptions }).connect(`https://127.0.0.1:${listener.address.port}`);
  const { value: server } = await accepted;
  if (server === undefined) throw new Error("the listener closed");
  return {
    client,
    server,
    async close() {
      client.close();
      await listener.close();
    },
  };
}

transportContract("quic", connectedPair.bind(undefined, {}, {}));
transportContract("quic, 1350-byte datagrams", () =>
  connectedPair({ maxDatagramBytes: 1350 }, { maxDatagramBytes: 1350 }),
);
