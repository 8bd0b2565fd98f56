// SPDX-License-Identifier: Apache-2.0
/**
 * `conec/quic`, for Node: dials a Coordinator over QUIC, and listens for Clients over QUIC and, from browsers, over WebTransport,
 * on one UDP port.
 */
export { quic } from "./connect.ts";
export type { QuicOptions, QuicTransport } from "./connect.ts";
export type { ClientCertificates } from "./client-certificates.ts";
export { loadKeyPair } from "./load-key-pair.ts";
export { listen } from "./listen.ts";
export type { QuicListener, QuicListenLimits, QuicListenOptions } from "./listen.ts";
export type { QuicListenerStats } from "./listener-stats.ts";
export { createSelfSignedCertificate } from "./self-signed-certificate.ts";
export type { SelfSignedCertificate, SelfSignedCertificateOptions } from "./self-signed-certificate.ts";
export type { CertificateHash } from "./server-identity.ts";
export type { UdpMode } from "./udp/open-udp-endpoint.ts";
export { checkWebTransport } from "./webtransport/check.ts";
export type { CheckWebTransportOptions, WebTransportCheck } from "./webtransport/check.ts";
