// SPDX-License-Identifier: Apache-2.0
import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";

import type { Listener, ListenerStats } from "../../../core/transport.ts";
import type { ConnectionLimits } from "../connection-limits.ts";
import type { HandshakeLimits } from "./handshakes.ts";

/** What both kinds take. */
interface WebSocketListenBaseOptions {
  /** A connection on which nothing is heard for this long is lost. Default 15000. */
  idleTimeoutMs?: number | undefined;
  limits?: Partial<WebSocketListenLimits> | undefined;
  /**
   * Origins of the pages that may connect, as browsers spell them: `https://app.example`. Others get the answer 403;
   * programs that are no browsers name no origin and are let in. Default: any.
   */
  allowedOrigins?: readonly string[] | undefined;
  /** Ends the call. An open listener is closed by `close`. */
  signal?: AbortSignal | undefined;
}

/** A server of its own. */
export interface WebSocketListenOwnOptions extends WebSocketListenBaseOptions {
  /** Where to listen. Default: everywhere, over IPv6 and IPv4. */
  host?: string | undefined;
  /** A port of TCP; `conec/quic` may use the same number of UDP. Default 0: a free one, see `listener.address`. */
  port?: number | undefined;
  /** Certificate chain, PEM, leaf first. */
  cert: string | Uint8Array;
  /** PEM: Ed25519, ECDSA or RSA. */
  key: string | Uint8Array;
  server?: undefined;
}

/** A server that is there for other things too. */
export interface WebSocketListenAttachedOptions extends WebSocketListenBaseOptions {
  /**
   * The server that gets the requests; certificate, address, limits of headers and what plain requests are answered are
   * its own business. Requests for a WebSocket that do not offer conec's subprotocol are left to its other listeners, if
   * there are any. One without TLS is for use behind a proxy that has TLS.
   */
  server: HttpsServer | HttpServer;
  host?: undefined;
  port?: undefined;
  cert?: undefined;
  key?: undefined;
}

/** What `listen` of `conec/websocket` takes: a server of its own, or one that is there. */
export type WebSocketListenOptions = WebSocketListenOwnOptions | WebSocketListenAttachedOptions;

/** What a peer may cost. See each for its default. */
export type WebSocketListenLimits = HandshakeLimits & ConnectionLimits;

/** Figures of a listener. */
export interface WebSocketListenerStats extends ListenerStats {
  /** Handshakes under way. */
  halfOpen: number;
  /** Since the start: handshakes that were completed, and connections that were hung up on because there were too many. */
  accepted: number;
  dropped: number;
}

/** Takes WebSockets. Closing it leaves a server that was there before as it was. */
export interface WebSocketListener extends Listener {
  /**
   * New connections get the new certificate; those that are open go on.
   *
   * @throws ConecError `invalid-argument`; `unsupported` where the server is not the listener's own
   */
  updateCertificate(identity: { cert: string | Uint8Array; key: string | Uint8Array }): void;
  getStats(): Promise<WebSocketListenerStats>;
}
