// SPDX-License-Identifier: Apache-2.0
/** `conec/webtransport`: dials a Coordinator from a browser, or with any class that has the shape of `WebTransport`. */
export { loadKeyPair } from "./load-key-pair.ts";
export type {
  CertificateHash,
  WebTransportCloseInfoLike,
  WebTransportConstructor,
  WebTransportLike,
  WebTransportStreamLike,
} from "./web-transport-like.ts";
export { webtransport } from "./webtransport.ts";
export type { WebTransportOptions } from "./webtransport.ts";
