// SPDX-License-Identifier: Apache-2.0
import type { CloseInfo, Connection, ServerCertificate } from "../../core/transport.ts";
import { isLoopback, unmapped } from "./address-bytes.ts";
import { conecProtocol, ethernetDatagramBytes, http3Protocol, minDatagramBytes } from "./config.ts";
import { QuicConnection } from "./connection.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import type { PathProfile } from "./datagram-sizes.ts";
import type { Driver } from "./driver.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";
import type { UdpAddress } from "./udp/udp-endpoint.ts";
import { WebTransportServer } from "./webtransport/server.ts";

/** What is spoken on a connection that a client opened: is called for what happens on it. */
export interface ApplicationProtocol {
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  onEnd(end: ConnectionEnd): void;
  onDatagram?(payload: Uint8Array): void;
  /** The listener is about to close the connection. */
  onStop?(info: CloseInfo): void;
}

export interface ApplicationProtocolOptions {
  driver: Driver;
  peer: UdpAddress;
  /** What the client has shown, leaf first, DER. */
  certificates: readonly Uint8Array[];
  profile: Pick<PathProfile, "datagramCandidates" | "idleTimeoutMs"> & { server: ServerCertificate };
  allowedOrigins: ReadonlySet<string> | undefined;
  onConnection: (connection: Connection) => void;
}

/**
 * Browsers send nothing by themselves on an idle connection, and Chromium gives up one second before the time. This
 * often they are asked for a sign of life, or three times within the time.
 */
const browserKeepAliveMs = 5000;

/** Begins what the handshake has agreed on: conec's own protocol, or HTTP/3 for browsers. */
export function createApplicationProtocol(
  name: string,
  { driver, peer, certificates, profile, allowedOrigins, onConnection }: ApplicationProtocolOptions,
): ApplicationProtocol | undefined {
  const remote = { host: unmapped(peer.host), port: peer.port, ...(certificates.length > 0 && { certificates }) };
  const { server } = profile;
  if (name === conecProtocol) {
    let protocol: ApplicationProtocol | undefined;
    onConnection(new QuicConnection("quic", driver, { remote, server }, (events) => (protocol = events)));
    return protocol;
  }
  if (name !== http3Protocol) return undefined;
  // Loopback carries what Ethernet does; elsewhere nothing larger than the least is known to arrive.
  const { datagramCandidates, idleTimeoutMs } = profile;
  const sizes = isLoopback(peer.host) ? datagramCandidates.filter((bytes) => bytes <= ethernetDatagramBytes) : [];
  driver.adapt({
    keepAliveIntervalMs: Math.min(browserKeepAliveMs, idleTimeoutMs / 3),
    datagramBytes: Math.max(minDatagramBytes, ...sizes),
  });
  return new WebTransportServer({ driver, remote, server, allowedOrigins, onConnection });
}
