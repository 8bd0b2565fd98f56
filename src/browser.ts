// SPDX-License-Identifier: Apache-2.0
/**
 * What a page needs, in one file: dist/conec.browser.js (scripts/bundle.js), for a script tag without a bundler. All of
 * `conec` but the Coordinator, for which browsers have no listener, and `webtransport` of `conec/webtransport`.
 */
export type * from "./index.ts";
export { Channel } from "./core/channel.ts";
export { Client } from "./core/client.ts";
export { ConecError } from "./core/errors.ts";
export { generateKeyPair, importPublicKey, publicKeyOf } from "./core/key-pair.ts";
export { MessageReadable } from "./streams/message-readable.ts";
export { MessageWritable } from "./streams/message-writable.ts";
export { webtransport } from "./transports/webtransport/index.ts";
export type { CertificateHash, WebTransportLike, WebTransportOptions } from "./transports/webtransport/index.ts";
