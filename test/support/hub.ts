import { Client, Coordinator } from "../../src/index.ts";
import type { Channel, ClientOptions, CoordinatorOptions, Listener, Transport } from "../../src/index.ts";
import * as memoryTransport from "../../src/transports/memory/index.ts";
import * as quicTransport from "../../src/transports/quic/index.ts";
import * as webSocketTransport from "../../src/transports/websocket/node/index.ts";
import * as webtransportServer from "../../src/transports/webtransport-server/index.ts";

/** A transport under test: how to listen, and how to dial what listens. */
export interface TransportKind {
  name: string;
  listen(): Promise<{ listener: Listener; transport: Transport; url: string }>;
}

export const memoryKind: TransportKind = {
  name: "memory",
  listen: async () => {
    const listener = await memoryTransport.listen();
    return { listener, transport: memoryTransport.memory(), url: `https://localhost:${listener.address.port}` };
  },
};

export const quicKind: TransportKind = {
  name: "quic",
  listen: async () => {
    const { cert, key, hash } = quicTransport.createSelfSignedCertificate({ hosts: ["localhost"] });
    const listener = await quicTransport.listen({ host: "127.0.0.1", port: 0, cert, key });
    const transport = quicTransport.quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
    return { listener, transport, url: `https://127.0.0.1:${listener.address.port}` };
  },
};

export const websocketKind: TransportKind = {
  name: "websocket",
  listen: async () => {
    const { cert, key, hash } = quicTransport.createSelfSignedCertificate({ hosts: ["localhost"] });
    const listener = await webSocketTransport.listen({ host: "127.0.0.1", port: 0, cert, key });
    const serverCertificateHashes = [{ algorithm: "sha-256", value: hash }];
    const transport = webSocketTransport.websocket({ serverCertificateHashes });
    return { listener, transport, url: `https://127.0.0.1:${listener.address.port}` };
  },
};

/** WebTransport over HTTP/2, both ends in Node. */
export const webtransportHttp2Kind: TransportKind = {
  name: "webtransport over HTTP/2",
  listen: async () => {
    // Here, since loading it takes time that most tests need not spend.
    const { newServer, transport } = await import("./webtransport-http2.ts");
    const listener = await webtransportServer.listen(newServer());
    return { listener, transport: transport(), url: `https://127.0.0.1:${listener.address.port}` };
  },
};

/** A Coordinator with Clients around it, all in this process. */
export class Hub {
  readonly coordinator: Coordinator;
  readonly kind: TransportKind;
  #url = "";
  #transport!: Transport;
  readonly #clients: Client[] = [];

  static async start(kind: TransportKind, options?: CoordinatorOptions): Promise<Hub> {
    const hub = new Hub(kind, options);
    const { listener, transport, url } = await kind.listen();
    hub.coordinator.serve(listener);
    hub.#url = url;
    hub.#transport = transport;
    return hub;
  }

  private constructor(kind: TransportKind, options?: CoordinatorOptions) {
    this.kind = kind;
    this.coordinator = new Coordinator(options);
  }

  get url(): string {
    return this.#url;
  }

  get transport(): Transport {
    return this.#transport;
  }

  async join(id?: string, options?: Partial<ClientOptions>): Promise<Client> {
    const client = await Client.connect(this.#url, {
      transport: this.#transport,
      ...(id !== undefined && { id }),
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** A channel between two Clients of these ids, and its two ends. */
  async link(first: Client, second: Client, metadata = {}): Promise<[Channel, Channel]> {
    await this.coordinator.introduce(first.id, second.id, { metadata });
    return [await next(first.incomingChannels), await next(second.incomingChannels)];
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.coordinator.close();
  }
}

/** The next thing of a stream, which only this function reads from then on. Several calls at once are served in turn. */
export async function next<T>(stream: ReadableStream<T>): Promise<T> {
  const reader = (readers.get(stream) ?? stream.getReader()) as ReadableStreamDefaultReader<T>;
  readers.set(stream, reader);
  const { value, done } = await reader.read();
  if (done) throw new Error("The stream is at its end");
  return value;
}

const readers = new WeakMap<ReadableStream, ReadableStreamDefaultReader>();

/** All chunks of a stream. */
export async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** What a promise was rejected with; fails if it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => {
      throw new Error(`Expected a rejection, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}
