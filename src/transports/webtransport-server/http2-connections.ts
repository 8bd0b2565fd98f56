// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

import { unrefTimeout } from "../../streams/timer.ts";
import { guardPings, http2WindowBytes } from "../webtransport/fails-components/http2-connection.ts";

/**
 * The HTTP/2 connections of a server of `@fails-components/webtransport`, which carry its sessions. In version 1.6.8 it
 * never closes one, and waits for the other ends when it is to stop.
 */
export class Http2Connections {
  readonly #idleMs: number;
  readonly #connections = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();

  /**
   * To be made before the server listens.
   *
   * @param idleMs after this time a connection without a session is closed
   */
  constructor(server: Http2SecureServer, idleMs = 10_000) {
    this.#idleMs = idleMs;
    server.updateSettings({ initialWindowSize: http2WindowBytes });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    // Before the server's own listener, which sends the first ping.
    server.prependListener("session", (connection) => this.#onConnection(connection));
  }

  /** Ends all connections: those that still carry something, or are not read, after a while. */
  async close(): Promise<void> {
    const gone = [...this.#sockets].map((socket) => once(socket, "close"));
    for (const connection of this.#connections) connection.close();
    // The sockets, since what waits to be sent would keep a connection that is destroyed.
    const stop = unrefTimeout(lingerMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await Promise.allSettled(gone);
    stop();
  }

  #onConnection(connection: ServerHttp2Session): void {
    this.#connections.add(connection);
    guardPings(connection);
    connection.setLocalWindowSize(http2WindowBytes);
    let requests = 0;
    const closeUnlessUsed = (): (() => void) =>
      unrefTimeout(this.#idleMs, () => {
        if (requests === 0) connection.close();
      });
    let stop = closeUnlessUsed();
    connection.on("stream", (stream) => {
      requests += 1;
      stream.once("close", () => {
        requests -= 1;
        stop();
        stop = closeUnlessUsed();
      });
    });
    connection.once("close", () => {
      stop();
      this.#connections.delete(connection);
    });
  }
}

/** How long the other ends may take to let their sessions go. */
const lingerMs = 1000;
