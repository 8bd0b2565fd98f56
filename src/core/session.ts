// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import { ControlStream } from "./control-stream.ts";
import type { ControlMessage } from "./control-messages.ts";
import { closeInfoOf, errorOfClose } from "./farewell.ts";
import { readDataHeader } from "./data-header.ts";
import { SessionPath } from "./session-path.ts";
import { unrefTimeout } from "../streams/timer.ts";
import type { BidirectionalStream, ByteReader, ByteWriter, Connection } from "./transport.ts";
import { discard } from "../streams/linger.ts";
import { ReaderIterator } from "../streams/reader-iterator.ts";
import { writeHead } from "../streams/byte-ends.ts";
import type { ByteSource } from "../streams/byte-ends.ts";
import { encodeVarints, varintLengthFrom } from "../streams/varint.ts";
import { ignore } from "../streams/ignore.ts";

export interface SessionOptions {
  /** The other end opened a control stream. */
  onControlStream: (control: ControlStream, session: Session) => void;
  /** How long a stream may take to say what it is, in milliseconds. */
  headerTimeoutMs: number;
  /** How many streams may be about to say what they are. */
  maxHeaders: number;
  /** Whether a data stream may come yet; otherwise the connection is closed. */
  mayCarryData: () => boolean;
  /** Whether a data stream for this unknown channel may be a late one; otherwise the connection is closed. */
  mayBeLate: (channel: number) => boolean;
  /** A control message of a channel came. Returns whether it is to be acted upon. */
  heard?: (channel: number, message: ControlMessage) => boolean;
  /** A limit was reached, of this name. */
  limited?: (limit: string) => void;
  /** So many bytes more, or less, are kept to be sent. */
  onHeld?: (bytes: number) => void;
}

/**
 * A connection that many channels share: tells streams which channel they belong to, and the other way round. When the
 * connection is lost, another Session may take the channels over.
 */
export class Session {
  readonly connection: Connection;
  readonly #options: SessionOptions;
  readonly #paths = new Map<number, SessionPath>();
  #pendingHeaders = 0;
  #actedUpon = 0;

  constructor(connection: Connection, options: SessionOptions) {
    this.connection = connection;
    this.#options = options;
  }

  /** Begins to take what the other end opens. */
  open(): this {
    const { connection } = this;
    const dataStream = (reader: ByteReader): Promise<void> => this.#dataStream({ head: empty, reader });
    if (connection.incomingReaders !== undefined) void this.#take(connection.incomingReaders, dataStream);
    else void this.#take(connection.incomingUnidirectionalStreams, (readable) => dataStream(readable.getReader()));
    void this.#take(connection.incomingBidirectionalStreams, (stream) => this.#bidirectionalStream(stream));
    return this;
  }

  async openControlStream(): Promise<ControlStream> {
    const stream = await this.connection.createBidirectionalStream();
    return this.#controlStream(lock(stream));
  }

  /** See {@link SessionOptions.heard}. */
  heard(channel: number, message: ControlMessage): boolean {
    return this.#options.heard?.(channel, message) ?? true;
  }

  /** From now on data streams of this channel are kept for its path. */
  addPath(channel: number, control: ControlStream, options?: { resumable: boolean }): SessionPath {
    const path = new SessionPath(this, channel, control, options);
    this.#paths.set(channel, path);
    return path;
  }

  /** Takes a path over from a session whose connection was lost. */
  adoptPath(path: SessionPath): void {
    path.session.removePath(path);
    path.session = this;
    this.#paths.set(path.channel, path);
  }

  /** Data streams of this channel are thrown away from now on. */
  removePath(path: SessionPath): void {
    if (this.#paths.get(path.channel) === path) this.#paths.delete(path.channel);
  }

  /** The channels of this connection, those among them that have ended here, but not yet at the other end. */
  get paths(): ReadonlyMap<number, SessionPath> {
    return this.#paths;
  }

  /** How many channels have not ended here. */
  get openPathCount(): number {
    return [...this.#paths.values()].filter(({ isOpen }) => isOpen).length;
  }

  async openDataStream(channel: number, stream: number, epoch: number, head: Uint8Array = empty): Promise<ByteWriter> {
    const writer =
      (await this.connection.createWriter?.()) ?? (await this.connection.createUnidirectionalStream()).getWriter();
    return writeHead(writer, encodeVarints(channel, stream, epoch), head);
  }

  /** Whether the connection has ended, or is about to, without a word of either end: then it may be resumed. */
  async isLost(): Promise<boolean> {
    return await this.connection.closed.then(
      () => false,
      (error: unknown) => error instanceof ConecError && error.code === "connection-lost",
    );
  }

  /** The error behind an error: if the connection was closed because of one, that. */
  async explain(error: ConecError): Promise<ConecError> {
    if (error.source !== "connection") return error;
    const info = await this.connection.closed.catch(ignore);
    return (info && errorOfClose(info)) ?? error;
  }

  /** Ends the connection because of what the other end did; `limit` is the name of the limit that it overstepped. */
  fail(error: ConecError, limit?: string): void {
    if (limit !== undefined) this.#options.limited?.(limit);
    this.connection.close(closeInfoOf(error));
  }

  async #take<T>(streams: ReadableStream<T>, handle: (stream: T) => Promise<void>): Promise<void> {
    try {
      // Not over the stream itself: that came to browsers later than WebTransport did.
      for await (const stream of new ReaderIterator(streams.getReader())) {
        if (this.#pendingHeaders >= this.#options.maxHeaders) {
          this.fail(new ConecError("limit-exceeded", "Too many streams without a header"), "streamsWithoutHeader");
          return;
        }
        this.#pendingHeaders += 1;
        handle(stream)
          .catch((error: unknown) => {
            // Else the stream broke before it said what it is: nobody waits for it.
            if (error instanceof ConecError && error.code === "protocol-error") this.fail(error);
          })
          .finally(() => (this.#pendingHeaders -= 1));
      }
    } catch {
      // The connection is over, which its `closed` tells.
    }
  }

  async #bidirectionalStream(stream: BidirectionalStream): Promise<void> {
    const { reader, writer } = lock(stream);
    const head = await this.#inTime(reader, readSome);
    if (head[0] !== 0) {
      this.#options.onControlStream(this.#controlStream({ reader, writer }, head), this);
      return;
    }
    // A data stream on a transport that has no unidirectional streams.
    void writer.close().catch(ignore);
    await this.#dataStream({ reader, head: head.subarray(varintLengthFrom(0)) });
  }

  #controlStream(locked: { reader: ByteReader; writer: ByteWriter }, head?: Uint8Array): ControlStream {
    return new ControlStream(locked, head, this.#options.limited, this.#options.onHeld);
  }

  /** A control message was acted upon. After many of them it is the turn of others: then returns a promise to wait for. */
  pause(): Promise<void> | undefined {
    this.#actedUpon += 1;
    if (this.#actedUpon % messagesPerTurn !== 0) return undefined;
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** See {@link SessionOptions.onHeld}. */
  held(bytes: number): void {
    this.#options.onHeld?.(bytes);
  }

  async #dataStream(source: ByteSource): Promise<void> {
    if (!this.#options.mayCarryData()) {
      this.fail(new ConecError("protocol-error", "A data stream came before the Client had joined"));
      return;
    }
    const { reader } = source;
    const { channel, stream, epoch, rest } = await this.#inTime(reader, () => readDataHeader(reader, source.head));
    const path = this.#paths.get(channel);
    if (path !== undefined) path.deliver(stream, epoch, { reader, head: rest });
    else if (this.#options.mayBeLate(channel)) void discard(source.reader);
    else this.fail(new ConecError("protocol-error", `There is no channel ${channel}`));
  }

  async #inTime<T>(reader: ByteReader, read: (reader: ByteReader) => Promise<T>): Promise<T> {
    const stop = unrefTimeout(this.#options.headerTimeoutMs, () => void reader.cancel("no header").catch(ignore));
    try {
      return await read(reader);
    } finally {
      stop();
    }
  }
}

async function readSome(reader: ByteReader): Promise<Uint8Array> {
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new ConecError("truncated", "The stream ended before it said what it is");
    if (value.length > 0) return value;
  }
}

function lock(stream: BidirectionalStream): { reader: ByteReader; writer: ByteWriter } {
  return stream.lock?.() ?? { reader: stream.readable.getReader(), writer: stream.writable.getWriter() };
}

const empty = new Uint8Array(0);
/** Control messages of one connection, on all its channels, that are acted upon before others have their turn. */
const messagesPerTurn = 500;
