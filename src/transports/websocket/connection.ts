import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
import type {
  BidirectionalStream,
  CloseInfo,
  Connection,
  ConnectionStats,
  Remote,
  ServerCertificate,
} from "../../core/transport.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import type { MessageSocket } from "./message-socket.ts";
import type { ReceiveStream } from "./qmux/receive-stream.ts";
import type { SendStream } from "./qmux/send-stream.ts";
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
  readonly #bidirectional = new IncomingQueue<BidirectionalStream>(({ readable, writable }) => {
    readable.cancel(nobody()).catch(ignore);
    writable.abort(nobody()).catch(ignore);
  });
  readonly #unidirectional = new IncomingQueue<ReadableStream<Uint8Array>>((readable) => {
    readable.cancel(nobody()).catch(ignore);
  });
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
        onStream: (receive, send) => {
          if (send === undefined) this.#unidirectional.push(receive.readable);
          else this.#bidirectional.push(bidirectional(receive, send));
        },
        onEnd: (end) => {
          this.#end = end;
          ready.reject(streamErrorOf(end));
          if ("error" in end) {
            this.#bidirectional.fail(end.error);
            this.#unidirectional.fail(end.error);
            closed.reject(end.error);
          } else {
            this.#bidirectional.close();
            this.#unidirectional.close();
            closed.resolve(end.info);
          }
        },
      },
    });
  }

  get incomingBidirectionalStreams(): ReadableStream<BidirectionalStream> {
    return this.#bidirectional.readable;
  }

  get incomingUnidirectionalStreams(): ReadableStream<ReadableStream<Uint8Array>> {
    return this.#unidirectional.readable;
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

/** Two directions as one stream, whose web streams are made when they are looked at. */
function bidirectional(receive: ReceiveStream, send: SendStream): BidirectionalStream {
  return {
    get readable() {
      return receive.readable;
    },
    get writable() {
      return send.writable;
    },
    lock: () => ({ reader: receive.lockReader(), writer: send.lockWriter() }),
  };
}

/** A promise with what settles it. Its rejection is never unhandled. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  promise.catch(ignore);
  return { promise, resolve, reject };
}

function nobody(): ConecError {
  return new ConecError("refused", "Nobody takes streams", { source: "stream" });
}

function ignore(): void {}
