/** A listener for WebTransport over HTTP/2, and who dials it from Node. */
import type { Connection, Listener, Transport } from "../../src/index.ts";
import { createSelfSignedCertificate } from "../../src/transports/quic/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import type { WebTransportOptions } from "../../src/transports/webtransport/index.ts";
import { Http2Server, WebTransport } from "./fails-components.ts";

export const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });

/** A server that has yet to be started. */
export function newServer(options: object = {}): InstanceType<typeof Http2Server> {
  const all = { port: 0, host: "127.0.0.1", secret: "secret", cert, privKey: key, ...options };
  return new Http2Server(all);
}

/** The transport of a Client that knows the certificate above. */
export function transport(options: WebTransportOptions = {}): Transport {
  return webtransport({ WebTransport, serverCertificateHashes: [{ algorithm: "sha-256", value: hash }], ...options });
}

export async function dial(
  { address }: Pick<Listener, "address">,
  path = "/",
  options?: WebTransportOptions,
  signal?: AbortSignal,
): Promise<Connection> {
  return await transport(options).connect(`https://${address.host}:${address.port}${path}`, { signal });
}
