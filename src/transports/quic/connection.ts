import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
import type { BidirectionalStream, CloseInfo, Connection, ConnectionStats, Remote } from "../../core/transport.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import type { Driver } from "./driver.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";

/** A {@link Connection} over QUIC: what users see of a {@link Driver}. */
export class QuicConnection implements Connection {
  readonly transport = "quic";
  readonly remote: Remote;
  readonly closed: Promise<CloseInfo>;
  readonly #driver: Driver;
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

  /** `connectEvents` is given what is to be called for the driver's events. */
  constructor(driver: Driver, remote: Remote, connectEvents: (events: ConnectionEvents) => void) {
    this.#driver = driver;
    this.remote = remote;
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
    const { receive, send } = this.#driver.streams.openBidirectional();
    return { readable: receive.readable, writable: send.writable };
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    this.#assertOpen();
    return this.#driver.streams.openUnidirectional().writable;
  }

  close(info: Partial<CloseInfo> = {}): void {
    this.#driver.close(checkCloseInfo(info));
  }

  async getStats(): Promise<ConnectionStats> {
    return this.#driver.getStats();
  }

  #assertOpen(): void {
    if (this.#end === undefined) return;
    if ("error" in this.#end) throw this.#end.error;
    throw new ConecError("closed", "Cannot open a stream: the connection is closed");
  }

  #onStream(receive: ReceiveStream, send: SendStream | undefined): void {
    if (send === undefined) this.#unidirectional.push(receive.readable);
    else this.#bidirectional.push({ readable: receive.readable, writable: send.writable });
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

export interface ConnectionEvents {
  /** `send` is absent when the stream is one-way. */
  onStream: (receive: ReceiveStream, send: SendStream | undefined) => void;
  onEnd: (end: ConnectionEnd) => void;
}
