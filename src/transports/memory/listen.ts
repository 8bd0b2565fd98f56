// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Address, CloseInfo, Connection, Listener, ListenerStats } from "../../core/transport.ts";
import { createConnectionPair } from "./connection.ts";
import type { MemoryConnection } from "./connection.ts";

/** What `listen` of `conec/memory` takes. */
export interface MemoryListenOptions {
  /** A name of your choice. Default `"localhost"`. */
  host?: string;
  /** A number from 0 to 65535. Default 0: a free one. */
  port?: number;
}

/** A listener within this process. */
export interface MemoryListener extends Listener {
  /** Breaks all connections, as a network would that is gone: for tests of what comes of it. New ones can be made. */
  cut(): void;
}

/**
 * Listens within this process.
 *
 * @throws ConecError `address-in-use`, `invalid-argument`
 * @example
 * ```ts
 * const listener = await listen();
 * coordinator.serve(listener);
 * const client = await Client.connect(`https://localhost:${listener.address.port}`, { transport: memory() });
 * ```
 */
export async function listen(options: MemoryListenOptions = {}): Promise<MemoryListener> {
  const { host = "localhost", port = 0 } = checkOptions(options, "listen");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ConecError("invalid-argument", `port must be an integer from 0 to 65535, not ${String(port)}`);
  }
  const listener = new Listening({ host, port: port === 0 ? freePort(host) : port });
  const key = keyOf(listener.address);
  if (listeners.has(key)) throw new ConecError("address-in-use", `Somebody listens at ${key} already`);
  listeners.set(key, listener);
  return listener;
}

/** Who listens there, if anybody. */
export function listenerAt(host: string, port: number): Listening | undefined {
  return listeners.get(keyOf({ host, port }));
}

class Listening implements MemoryListener {
  readonly transport = "memory";
  readonly address: Address;
  readonly incomingConnections: ReadableStream<Connection>;
  readonly closed: Promise<void>;
  readonly #connections = new Set<MemoryConnection>();
  #incoming!: ReadableStreamDefaultController<Connection>;
  #settleClosed!: () => void;
  #open = true;

  constructor(address: Address) {
    this.address = address;
    this.incomingConnections = new ReadableStream({
      start: (controller) => void (this.#incoming = controller),
      cancel: () => this.close(),
    });
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  /** The Client's end of a new connection. */
  connect(): Connection {
    const [client, server] = createConnectionPair(this.address);
    this.#connections.add(server);
    const forget = (): void => void this.#connections.delete(server);
    server.closed.then(forget, forget);
    this.#incoming.enqueue(server);
    return client;
  }

  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  async getStats(): Promise<ListenerStats> {
    return { connections: this.#connections.size };
  }

  async close(info: Partial<CloseInfo> = {}): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    listeners.delete(keyOf(this.address));
    for (const connection of this.#connections) connection.close(info);
    try {
      this.#incoming.close();
    } catch {
      // Whoever cancelled the stream has closed it already.
    }
    this.#settleClosed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const listeners = new Map<string, Listening>();
let lastPort = 49_151;

function freePort(host: string): number {
  do lastPort = lastPort >= 65_535 ? 49_152 : lastPort + 1;
  while (listeners.has(keyOf({ host, port: lastPort })));
  return lastPort;
}

function keyOf({ host, port }: Address): string {
  return `${host.toLowerCase()}:${port}`; // as URLs have it
}
