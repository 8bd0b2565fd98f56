// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../index.ts";
import type { Connection, Listener, Remote } from "../../index.ts";
import * as quic from "../../transports/quic/index.ts";
import * as websocket from "../../transports/websocket/node/index.ts";
import type { Certificates, Identity } from "./certificates.ts";

export interface ListenersOptions {
  host: string | undefined;
  port: number;
  websocket: boolean;
  certificates: Certificates;
}

/** Where a Coordinator of the command line takes connections: UDP, and TCP with the same port number. */
export class Listeners {
  readonly port: number;
  /** What Clients may connect over. */
  readonly transports: readonly string[];
  readonly #listeners: readonly (quic.QuicListener | websocket.WebSocketListener)[];
  readonly #connections = new WeakMap<Remote, Connection>();

  /** @throws ConecError `address-in-use`, `invalid-argument`, `unsupported` */
  static async open(options: ListenersOptions): Promise<Listeners> {
    const { host, certificates } = options;
    const { resetKey } = certificates;
    // A free port of UDP may be taken in TCP.
    for (let tries = 1; ; tries += 1) {
      const { identity } = certificates;
      const udp = await quic.listen({
        host,
        port: options.port,
        ...identity,
        ...(resetKey !== undefined && { statelessResetKey: resetKey }),
      });
      if (!options.websocket) return new Listeners([udp]);
      try {
        return new Listeners([udp, await websocket.listen({ host, port: udp.address.port, ...identity })]);
      } catch (error) {
        await udp.close();
        const isTaken = error instanceof ConecError && error.code === "address-in-use";
        if (!isTaken || options.port !== 0 || tries === maxTries) throw error;
      }
    }
  }

  private constructor(listeners: readonly (quic.QuicListener | websocket.WebSocketListener)[]) {
    this.#listeners = listeners;
    this.port = listeners[0]!.address.port;
    this.transports = listeners.length > 1 ? ["quic", "webtransport", "websocket"] : ["quic", "webtransport"];
  }

  /** For `coordinator.serve`: the listeners, which also keep in mind what comes in through them. */
  get served(): Listener[] {
    return this.#listeners.map((listener) => this.#observed(listener));
  }

  /** The connection behind what `authenticate` is told of it: of each there is one object. */
  connectionOf(remote: Remote): Connection | undefined {
    return this.#connections.get(remote);
  }

  /** @throws ConecError `invalid-argument`: the certificate cannot be used, and the one from before stays */
  updateCertificate(identity: Identity): void {
    for (const listener of this.#listeners) listener.updateCertificate(identity);
  }

  #observed(listener: Listener): Listener {
    const observe = (connection: Connection): Connection => {
      this.#connections.set(connection.remote, connection);
      return connection;
    };
    const observer = new TransformStream<Connection, Connection>({
      transform: (connection, controller) => controller.enqueue(observe(connection)),
    });
    return {
      transport: listener.transport,
      address: listener.address,
      closed: listener.closed,
      incomingConnections: listener.incomingConnections.pipeThrough(observer),
      getStats: () => listener.getStats(),
      close: (info) => listener.close(info),
      [Symbol.asyncDispose]: () => listener.close(),
    };
  }
}

const maxTries = 10;
