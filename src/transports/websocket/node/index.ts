// SPDX-License-Identifier: Apache-2.0
/**
 * `conec/websocket` in Node: dials a Coordinator, and listens for one, over WebSocket. Browsers get `../browser.ts`,
 * where `websocket` has the same name.
 */
export type { CertificateHash } from "../../quic/server-identity.ts";
export type { CommonConnectOptions } from "../connect-options.ts";
export { listen } from "./listen.ts";
export type {
  WebSocketListenAttachedOptions,
  WebSocketListener,
  WebSocketListenerStats,
  WebSocketListenLimits,
  WebSocketListenOptions,
  WebSocketListenOwnOptions,
} from "./listen-options.ts";
export { websocket } from "./websocket.ts";
export type { WebSocketOptions } from "./websocket.ts";
