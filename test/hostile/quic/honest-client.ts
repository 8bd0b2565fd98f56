import { Client } from "../../../src/index.ts";
import { quic } from "../../../src/transports/quic/index.ts";
import type { Target } from "./target.ts";

export interface HonestClientOptions {
  id: string;
  localAddress?: string | undefined;
  /** Its TLS certificate, where it is asked for one, and the key. */
  certificate?: { cert: string; key: string } | undefined;
}

export function honestClient(
  { port, hash }: Target,
  { id, localAddress, certificate }: HonestClientOptions,
): Promise<Client> {
  const pins = [{ algorithm: "sha-256", value: new Uint8Array(Buffer.from(hash, "hex")) }];
  // The Coordinator gives up who is silent for 2 s.
  const options = { serverCertificateHashes: pins, keepAliveIntervalMs: 500, localAddress, ...certificate };
  return Client.connect(`https://127.0.0.1:${port}`, { transport: quic(options), id });
}
