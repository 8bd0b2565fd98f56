/** `conec/webtransport`: dials a Coordinator from a browser, or with any class that has the shape of `WebTransport`. */
export type {
  CertificateHash,
  WebTransportCloseInfoLike,
  WebTransportConstructor,
  WebTransportLike,
  WebTransportStreamLike,
} from "./web-transport-like.ts";
export { webtransport } from "./webtransport.ts";
export type { WebTransportOptions } from "./webtransport.ts";
