// SPDX-License-Identifier: Apache-2.0
/** `conec/webtransport-server`: takes Clients from a server of `@fails-components/webtransport`, over HTTP/2 or HTTP/3. */
export { listen } from "./listen.ts";
export type { WebTransportListenOptions } from "./listen.ts";
export type {
  RequestAnswer,
  RequestCallback,
  RequestHeader,
  SessionRequest,
  SessionStreamLike,
  WebTransportServerLike,
} from "./web-transport-server-like.ts";
