export { quic } from "./connect.ts";
export type { QuicOptions } from "./connect.ts";
export { loadKeyPair } from "./load-key-pair.ts";
export { listen } from "./listen.ts";
export type { QuicListener, QuicListenLimits, QuicListenOptions } from "./listen.ts";
export type { QuicListenerStats } from "./listener-stats.ts";
export { createSelfSignedCertificate } from "./self-signed-certificate.ts";
export type { SelfSignedCertificate, SelfSignedCertificateOptions } from "./self-signed-certificate.ts";
export type { CertificateHash } from "./server-identity.ts";
