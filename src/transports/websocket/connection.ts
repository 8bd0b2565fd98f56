// SPDX-License-Identifier: Apache-2.0
import { checkCloseInfo } from "../../core/close-info.ts";
import { ignore } from "../../streams/ignore.ts";
import { IncomingHalves, bidirectional } from "../../streams/stream-halves.ts";
import type {
  BidirectionalStream,
  ByteReader,
  ByteWriter,
  CloseInfo,
  Connection,
  ConnectionStats,
  Remote,
  ServerCertificate,
} from "../../core/transport.ts";
import type { MessageSocket } from "./message-socket.ts";
import { QmuxSession, streamErrorOf } from "./qmux/session.ts";
import type { ConnectionEnd, QmuxSessionOptions } from "./qmux/session.ts";

export interface WebSocketConnectionOptions extends Omit<QmuxSessionOptions, "events"> {
  socket: MessageSocket;
  remote: Remote;
  server: ServerCertificate | undefined;
}

/** A {@link Connection} over a WebSocket: what users see of a {@link QmuxSession}. */
export class WebSocketConnection implements Connection {
  readonly transport = "websocket";
  readonly remote: Remote;
  readonly server: ServerCertificate | undefined;
  readonly closed: Promise<CloseInfo>;
  /** Resolves when the other end speaks QMux; rejects like {@link closed}, or with `closed` itself. Never unhandled. */
  readonly ready: Promise<void>;
  readonly #session: QmuxSession;
  readonly #incoming = new IncomingHalves();
  #end: ConnectionEnd | undefined;

  constructor({ remote, server, ...options }: WebSocketConnectionOptions) {
    this.remote = remote;
    this.server = server;
    const ready = deferred<void>();
    const closed = deferred<CloseInfo>();
    this.ready = ready.promise;
    this.closed = closed.promise;
    this.#session = new QmuxSession({
      ...options,
      events: {
        onReady: ready.resolve,
        onStream: (receive, send) => this.#incoming.push(receive, send),
        onEnd: (end) => {
          this.#end = end;
          ready.reject(streamErrorOf(end));
          this.#incoming.end("error" in end ? end.error : undefined);
          if ("error" in end) closed.reject(end.error);
          else closed.resolve(end.info);
        },
      },
    });
  }

  get incomingBidirectionalStreams(): ReadableStream<BidirectionalStream> {
    return this.#incoming.bidirectionalStreams;
  }

  get incomingUnidirectionalStreams(): ReadableStream<ReadableStream<Uint8Array>> {
    return this.#incoming.unidirectionalStreams;
  }

  get incomingReaders(): ReadableStream<ByteReader> {
    return this.#incoming.readers;
  }

  async createBidirectionalStream(): Promise<BidirectionalStream> {
    this.#assertOpen();
    const { receive, send } = this.#session.openBidirectional();
    return bidirectional(receive, send);
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    this.#assertOpen();
    return this.#session.openUnidirectional().writable;
  }

  async createWriter(): Promise<ByteWriter> {
    this.#assertOpen();
    return this.#session.openUnidirectional().lockWriter();
  }

  close(info?: Partial<CloseInfo>): void {
    this.#session.close(checkCloseInfo(info));
  }

  async getStats(): Promise<ConnectionStats> {
    return this.#session.getStats();
  }

  #assertOpen(): void {
    if (this.#end !== undefined) throw streamErrorOf(this.#end);
  }
}

/** A promise with what settles it. Its rejection is never unhandled. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  promise.catch(ignore);
  return { promise, resolve, reject };
}
