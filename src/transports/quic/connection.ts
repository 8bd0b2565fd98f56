import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
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
import type { ConnectionEnd } from "./connection-end.ts";
import { IncomingQueue } from "./incoming-queue.ts";

/** A {@link Connection}: what users see of a QUIC connection, or of a session over one. */
export class QuicConnection implements Connection {
  readonly transport: string;
  readonly remote: Remote;
  readonly server: ServerCertificate | undefined;
  readonly closed: Promise<CloseInfo>;
  readonly #carrier: Carrier;
  readonly #bidirectional = new IncomingQueue<BidirectionalStream>(({ readable, writable }) => {
    const refused = new ConecError("refused", "Nobody takes streams", { source: "stream" });
    void readable.cancel(refused).catch(() => {});
    void writable.abort(refused).catch(() => {});
  });
  readonly #unidirectional = new IncomingQueue<ReadableStream<Uint8Array>>((readable) => {
    const refused = new ConecError("refused", "Nobody takes streams", { source: "stream" });
    void readable.cancel(refused).catch(() => {});
  });
  #end: ConnectionEnd | undefined;
  #resolveClosed!: (info: CloseInfo) => void;
  #rejectClosed!: (error: ConecError) => void;

  /** `connectEvents` is given what is to be called for the carrier's events. */
  constructor(
    transport: string,
    carrier: Carrier,
    { remote, server }: Pick<Connection, "remote" | "server">,
    connectEvents: (events: ConnectionEvents) => void,
  ) {
    this.transport = transport;
    this.#carrier = carrier;
    this.remote = remote;
    this.server = server;
    this.closed = new Promise((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    this.closed.catch(() => {});
    connectEvents({
      onStream: (receive, send) => this.#onStream(receive, send),
      onEnd: (end) => this.#onEnd(end),
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
    const { receive, send } = this.#carrier.streams.openBidirectional();
    return bidirectional(receive, send);
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    this.#assertOpen();
    return this.#carrier.streams.openUnidirectional().writable;
  }

  close(info: Partial<CloseInfo> = {}): void {
    this.#carrier.close(checkCloseInfo(info));
  }

  async getStats(): Promise<ConnectionStats> {
    return this.#carrier.getStats();
  }

  #assertOpen(): void {
    if (this.#end === undefined) return;
    if ("error" in this.#end) throw this.#end.error;
    throw new ConecError("closed", "Cannot open a stream: the connection is closed");
  }

  #onStream(receive: Readable, send: Writable | undefined): void {
    if (send === undefined) this.#unidirectional.push(receive.readable);
    else this.#bidirectional.push(bidirectional(receive, send));
  }

  #onEnd(end: ConnectionEnd): void {
    this.#end = end;
    if ("error" in end) {
      this.#bidirectional.fail(end.error);
      this.#unidirectional.fail(end.error);
      this.#rejectClosed(end.error);
    } else {
      this.#bidirectional.close();
      this.#unidirectional.close();
      this.#resolveClosed(end.info);
    }
  }
}

/** What a connection is made of: a Driver, or a session that has one for itself. */
export interface Carrier {
  readonly streams: {
    openBidirectional(): { receive: Readable; send: Writable };
    openUnidirectional(): Writable;
  };
  close(info: CloseInfo): void;
  getStats(): ConnectionStats;
}

/** A direction that is read. */
export interface Readable {
  readonly readable: ReadableStream<Uint8Array>;
  /** A reader without a ReadableStream, in place of it, where that can be had. */
  lockReader?(): ByteReader;
}

/** A direction that is written. */
export interface Writable {
  readonly writable: WritableStream<Uint8Array>;
  lockWriter?(): ByteWriter;
}

/** Two directions as one stream, whose web streams are made when they are looked at. */
function bidirectional(receive: Readable, send: Writable): BidirectionalStream {
  return {
    get readable() {
      return receive.readable;
    },
    get writable() {
      return send.writable;
    },
    lock: () => ({
      reader: receive.lockReader?.() ?? receive.readable.getReader(),
      writer: send.lockWriter?.() ?? send.writable.getWriter(),
    }),
  };
}

export interface ConnectionEvents {
  /** `send` is absent when the stream is one-way. */
  onStream: (receive: Readable, send: Writable | undefined) => void;
  onEnd: (end: ConnectionEnd) => void;
}
