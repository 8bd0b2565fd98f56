// SPDX-License-Identifier: Apache-2.0
import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
import type {
  Address,
  BidirectionalStream,
  CloseInfo,
  Connection,
  ConnectionStats,
  Remote,
} from "../../core/transport.ts";
import { createBytePipe } from "../../streams/byte-pipe.ts";
import type { BytePipe } from "../../streams/byte-pipe.ts";
import { ignore } from "../../streams/ignore.ts";

/** Two ends of a connection within this process: the Client's, which sees `address`, and the listener's. */
export function createConnectionPair(address: Address): [MemoryConnection, MemoryConnection] {
  const client = new MemoryConnection({ host: address.host, port: address.port });
  const server = new MemoryConnection({ host: "localhost", port: 0 });
  client.join(server);
  server.join(client);
  return [client, server];
}

export class MemoryConnection implements Connection {
  readonly transport = "memory";
  readonly remote: Remote;
  readonly closed: Promise<CloseInfo>;
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  #bidirectional!: ReadableStreamDefaultController<BidirectionalStream>;
  #unidirectional!: ReadableStreamDefaultController<ReadableStream<Uint8Array>>;
  readonly #pipes = new Set<BytePipe>();
  #other!: MemoryConnection;
  #settleClosed!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };
  #open = true;

  constructor(remote: Remote) {
    this.remote = remote;
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    this.incomingBidirectionalStreams = new ReadableStream({
      start: (controller) => void (this.#bidirectional = controller),
    });
    this.incomingUnidirectionalStreams = new ReadableStream({
      start: (controller) => void (this.#unidirectional = controller),
    });
  }

  join(other: MemoryConnection): void {
    this.#other = other;
  }

  async createBidirectionalStream(): Promise<BidirectionalStream> {
    const back = this.#createPipe();
    const out = this.#createPipe(() =>
      this.#other.#surface(this.#other.#bidirectional, { readable: out.readable, writable: back.writable }),
    );
    return { readable: back.readable, writable: out.writable };
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    const pipe = this.#createPipe(() => this.#other.#surface(this.#other.#unidirectional, pipe.readable));
    return pipe.writable;
  }

  close(given?: Partial<CloseInfo>): void {
    const info = checkCloseInfo(given);
    if (!this.#open) return;
    this.#end(info, false);
    this.#other.#end(info, true);
  }

  /** Breaks it, at both ends. */
  cut(): void {
    this.#end(undefined, true);
    this.#other.#end(undefined, true);
  }

  async getStats(): Promise<ConnectionStats> {
    return {};
  }

  #createPipe(onFirst?: () => void): BytePipe {
    if (!this.#open) throw new ConecError("closed", "The connection was closed");
    const pipe = createBytePipe({ onFirst, onEnd: () => void this.#pipes.delete(pipe) });
    this.#pipes.add(pipe);
    return pipe;
  }

  #surface<T>(controller: ReadableStreamDefaultController<T>, stream: T): void {
    try {
      if (this.#open) controller.enqueue(stream);
    } catch {
      // The program cancelled its incoming streams: nobody will take this one.
    }
  }

  /** With what was said, or without a word. */
  #end(info: CloseInfo | undefined, remote: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    const error =
      info === undefined
        ? new ConecError("connection-lost", "The connection was cut", { remote })
        : new ConecError("closed", info.reason === "" ? "The connection was closed" : info.reason, { remote });
    for (const pipe of this.#pipes) pipe.fail(error);
    this.#pipes.clear();
    for (const controller of [this.#bidirectional, this.#unidirectional]) {
      try {
        if (info === undefined) controller.error(error);
        else controller.close();
      } catch {
        // The program cancelled it.
      }
    }
    if (info === undefined) this.#settleClosed.reject(error);
    else this.#settleClosed.resolve(info);
  }
}
