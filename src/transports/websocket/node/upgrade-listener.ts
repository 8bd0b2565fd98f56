// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

import { checkCloseInfo } from "../../../core/close-info.ts";
import { ConecError } from "../../../core/errors.ts";
import type { Address, CloseInfo, Connection, Remote } from "../../../core/transport.ts";
import { serverCertificate } from "../../quic/server-certificate.ts";
import { WebSocketConnection } from "../connection.ts";
import { PushQueue } from "../../../streams/push-queue.ts";
import { subprotocol } from "../subprotocol.ts";
import { Handshakes } from "./handshakes.ts";
import type { HttpsHost } from "./https-host.ts";
import type { WebSocketListener, WebSocketListenerStats, WebSocketListenLimits } from "./listen-options.ts";
import { NodeSocket } from "./node-socket.ts";
import { asksForConec, faultOf, refuse } from "./upgrade-request.ts";
import { wsOptions } from "./ws-options.ts";

export interface UpgradeListenerOptions {
  server: HttpsServer | HttpServer;
  /** The same server, if it is there for nothing else. */
  own: HttpsHost | undefined;
  idleTimeoutMs: number;
  limits: WebSocketListenLimits;
  /** Undefined: any. */
  allowedOrigins: ReadonlySet<string> | undefined;
}

/** This end leaves it to the clients to ask for signs of life, unless they do not. */
const keepAliveIntervalMs = 7500;

/** Makes a {@link Connection} of each WebSocket of conec that a server is asked for. */
export class UpgradeListener implements WebSocketListener {
  readonly transport = "websocket";
  readonly address: Address;
  readonly closed: Promise<void>;
  readonly #options: UpgradeListenerOptions;
  readonly #handshakes: Handshakes;
  readonly #webSockets = new WebSocketServer({
    ...wsOptions,
    noServer: true,
    clientTracking: false,
    handleProtocols: () => subprotocol, // it was offered: see `faultOf`
  });
  readonly #incoming = new PushQueue<Connection>((connection) => {
    connection.close({ reason: "Nobody takes connections" });
  });
  /** Until their sockets are closed. */
  readonly #connections = new Map<WebSocketConnection, Promise<void>>();
  #accepted = 0;
  #isOpen = true;
  #resolveClosed!: () => void;

  constructor(options: UpgradeListenerOptions) {
    const { server, own, limits } = options;
    this.#options = options;
    this.#handshakes = new Handshakes(limits);
    this.address = addressOf(server);
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    server.on("upgrade", this.#onUpgrade);
    server.on("close", this.#onServerClose);
    if (own !== undefined) server.on("connection", (socket: Socket) => void this.#handshakes.begin(socket));
  }

  get incomingConnections(): ReadableStream<Connection> {
    return this.#incoming.readable((connection) => connection);
  }

  updateCertificate({ cert, key }: { cert: string | Uint8Array; key: string | Uint8Array }): void {
    if (this.#options.own === undefined) {
      throw new ConecError("unsupported", "The certificate is that of the server that this listener was attached to");
    }
    this.#options.own.updateCertificate(cert, key);
  }

  async getStats(): Promise<WebSocketListenerStats> {
    const { count: halfOpen, dropped } = this.#handshakes;
    return { connections: this.#connections.size, halfOpen, accepted: this.#accepted, dropped };
  }

  async close(given: Partial<CloseInfo> = {}): Promise<void> {
    const info = checkCloseInfo(given);
    const { server, own } = this.#options;
    if (this.#isOpen) {
      this.#isOpen = false;
      server.off("upgrade", this.#onUpgrade);
      server.off("close", this.#onServerClose);
      this.#incoming.close();
      for (const connection of this.#connections.keys()) connection.close(info);
      this.#handshakes.stop();
      await Promise.all([...this.#connections.values(), own?.close()]);
      this.#resolveClosed();
    }
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #onServerClose = (): void => void this.close();

  readonly #onUpgrade = (request: IncomingMessage, stream: unknown, head: Buffer): void => {
    const { server, own, allowedOrigins } = this.#options;
    const socket = stream as Socket;
    if (own === undefined && !asksForConec(request) && server.listenerCount("upgrade") > 1) return;
    const fault = faultOf(request, allowedOrigins);
    if (fault !== undefined) refuse(socket, fault);
    else if (this.#handshakes.begin(socket)) {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => void this.#open(request, socket, webSocket));
    }
  };

  async #open(request: IncomingMessage, socket: Socket, webSocket: WebSocket): Promise<void> {
    const { idleTimeoutMs, limits } = this.#options;
    this.#handshakes.advance(socket);
    const leaf = socket instanceof TLSSocket ? socket.getX509Certificate() : undefined;
    const connection = new WebSocketConnection({
      socket: new NodeSocket(webSocket, socket),
      isServer: true,
      limits,
      idleTimeoutMs,
      keepAliveIntervalMs,
      remote: remoteOf(request, socket),
      server: leaf && serverCertificate(leaf),
    });
    const gone = new Promise<void>((resolve) => webSocket.once("close", () => resolve()));
    this.#connections.set(connection, gone);
    void gone.then(() => this.#connections.delete(connection));
    try {
      await connection.ready;
    } catch {
      return; // it never spoke QMux
    }
    this.#handshakes.end(socket);
    this.#accepted += 1;
    this.#incoming.push(connection);
  }
}

function addressOf(server: HttpsServer | HttpServer): Address {
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new ConecError("invalid-argument", "Cannot attach to a server that does not listen on a port yet");
  }
  return { host: address.address, port: address.port };
}

function remoteOf({ headers, url }: IncomingMessage, { remoteAddress = "", remotePort = 0 }: Socket): Remote {
  // An IPv4 address on a socket of both families.
  const host = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
  return { host, port: remotePort, path: url!, ...(headers.origin !== undefined && { origin: headers.origin }) };
}
