// SPDX-License-Identifier: Apache-2.0
import { checkCloseInfo } from "../../core/close-info.ts";
import { ConecError } from "../../core/errors.ts";
import { IncomingHalves, bidirectional, lockWriter } from "../../streams/stream-halves.ts";
import type { ReceiveHalf, SendHalf } from "../../streams/stream-halves.ts";
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

/** A {@link Connection}: what users see of a QUIC connection, or of a session over one. */
export class QuicConnection implements Connection {
  readonly transport: string;
  readonly remote: Remote;
  readonly server: ServerCertificate | undefined;
  readonly closed: Promise<CloseInfo>;
  readonly #carrier: Carrier;
  readonly #incoming = new IncomingHalves();
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
      onStream: (receive, send) => this.#incoming.push(receive, send),
      onEnd: (end) => this.#onEnd(end),
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
    const { receive, send } = this.#carrier.streams.openBidirectional();
    return bidirectional(receive, send);
  }

  async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
    this.#assertOpen();
    return this.#carrier.streams.openUnidirectional().writable;
  }

  async createWriter(): Promise<ByteWriter> {
    this.#assertOpen();
    return lockWriter(this.#carrier.streams.openUnidirectional());
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

  #onEnd(end: ConnectionEnd): void {
    this.#end = end;
    this.#incoming.end("error" in end ? end.error : undefined);
    if ("error" in end) this.#rejectClosed(end.error);
    else this.#resolveClosed(end.info);
  }
}

/** What a connection is made of: a Driver, or a session that has one for itself. */
export interface Carrier {
  readonly streams: {
    openBidirectional(): { receive: ReceiveHalf; send: SendHalf };
    openUnidirectional(): SendHalf;
  };
  close(info: CloseInfo): void;
  getStats(): ConnectionStats;
}

export interface ConnectionEvents {
  /** `send` is absent when the stream is one-way. */
  onStream: (receive: ReceiveHalf, send: SendHalf | undefined) => void;
  onEnd: (end: ConnectionEnd) => void;
}
