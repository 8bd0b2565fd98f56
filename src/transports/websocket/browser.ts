// SPDX-License-Identifier: Apache-2.0
/** `conec/websocket` as browsers get it: the Client's side. */
export type { CommonConnectOptions } from "./connect-options.ts";
export type { WebSocketConstructor, WebSocketLike } from "./web-socket-like.ts";
export { websocket } from "./websocket.ts";
export type { BrowserWebSocketOptions as WebSocketOptions } from "./websocket.ts";
