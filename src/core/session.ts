import { ConecError, reasonText, toConecError } from "./errors.ts";
import { ControlStream } from "./control-stream.ts";
import { PathInbox } from "./channel-path.ts";
import type { ChannelPath, ChannelPathReceiver } from "./channel-path.ts";
import type { ControlMessage } from "./control-messages.ts";
import { closeInfoOf, errorOfClose } from "./farewell.ts";
import { readDataHeader } from "./data-header.ts";
import { unrefTimeout } from "../streams/timer.ts";
import type { BidirectionalStream, ByteReader, ByteWriter, CloseInfo, Connection } from "./transport.ts";
import { discard } from "../streams/discard.ts";
import { ReaderIterator } from "../streams/reader-iterator.ts";
import { writeHead } from "../streams/byte-ends.ts";
import type { ByteSource } from "../streams/byte-ends.ts";
import { encodeVarints, varintLengthFrom } from "../streams/varint.ts";
import { ignore } from "../streams/ignore.ts";

export interface SessionOptions {
  /** The other end opened a control stream. */
  onControlStream: (control: ControlStream) => void;
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
}

/** A connection that many channels share: tells streams which channel they belong to, and the other way round. */
export class Session {
  readonly connection: Connection;
  readonly #options: SessionOptions;
  readonly #paths = new Map<number, SessionPath>();
  #pendingHeaders = 0;

  constructor(connection: Connection, options: SessionOptions) {
    this.connection = connection;
    this.#options = options;
    const dataStream = (reader: ByteReader): Promise<void> => this.#dataStream({ head: empty, reader });
    if (connection.incomingReaders !== undefined) void this.#take(connection.incomingReaders, dataStream);
    else void this.#take(connection.incomingUnidirectionalStreams, (readable) => dataStream(readable.getReader()));
    void this.#take(connection.incomingBidirectionalStreams, (stream) => this.#bidirectionalStream(stream));
  }

  async openControlStream(): Promise<ControlStream> {
    const stream = await this.connection.createBidirectionalStream();
    return new ControlStream(lock(stream), undefined, this.#options.limited);
  }

  /** See {@link SessionOptions.heard}. */
  heard(channel: number, message: ControlMessage): boolean {
    return this.#options.heard?.(channel, message) ?? true;
  }

  /** From now on data streams of this channel are kept for its path. */
  addPath(channel: number, control: ControlStream): SessionPath {
    const path = new SessionPath(this, channel, control);
    this.#paths.set(channel, path);
    return path;
  }

  /** Data streams of this channel are thrown away from now on. */
  removePath(path: SessionPath): void {
    if (this.#paths.get(path.channel) === path) this.#paths.delete(path.channel);
  }

  /** How many channels this connection carries that have not ended. */
  get pathCount(): number {
    return this.#paths.size;
  }

  /** The path of a channel of this connection. */
  path(channel: number): SessionPath | undefined {
    return this.#paths.get(channel);
  }

  async openDataStream(channel: number, stream: number, head: Uint8Array = empty): Promise<ByteWriter> {
    const writer =
      (await this.connection.createWriter?.()) ?? (await this.connection.createUnidirectionalStream()).getWriter();
    return writeHead(writer, encodeVarints(channel, stream), head);
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
      const { onControlStream, limited } = this.#options;
      onControlStream(new ControlStream({ reader, writer }, head, limited));
      return;
    }
    // A data stream on a transport that has no unidirectional streams.
    void writer.close().catch(ignore);
    await this.#dataStream({ reader, head: head.subarray(varintLengthFrom(0)) });
  }

  async #dataStream(source: ByteSource): Promise<void> {
    if (!this.#options.mayCarryData()) {
      this.fail(new ConecError("protocol-error", "A data stream came before the Client had joined"));
      return;
    }
    const header = await this.#inTime(source.reader, (reader) => readDataHeader(reader, source.head));
    const path = this.#paths.get(header.channel);
    if (path !== undefined) path.deliver(header.stream, { ...source, head: header.rest });
    else if (this.#options.mayBeLate(header.channel)) void discard(source);
    else this.fail(new ConecError("protocol-error", `There is no channel ${header.channel}`));
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

/** The path of one channel over a {@link Session}: its control stream, and data streams headed by its id. */
export class SessionPath implements ChannelPath {
  readonly session: Session;
  readonly channel: number;
  readonly #control: ControlStream;
  readonly #inbox = new PathInbox();
  #ended = false;
  #reading = false;

  constructor(session: Session, channel: number, control: ControlStream) {
    this.session = session;
    this.channel = channel;
    this.#control = control;
  }

  send(message: ControlMessage): void | Promise<void> {
    return this.#control.send(message);
  }

  async openStream(stream: number, head?: Uint8Array): Promise<ByteWriter> {
    if (this.#ended) throw new ConecError("closed", "The channel was closed", { source: "channel" });
    return await this.session.openDataStream(this.channel, stream, head);
  }

  attach(receiver: ChannelPathReceiver): void {
    this.#inbox.attach(receiver);
    if (!this.#reading) void this.#read();
    this.#reading = true;
  }

  detach(): void {
    this.#inbox.detach();
  }

  end(): void {
    this.#ended = true;
    this.#control.end();
    this.session.removePath(this);
  }

  /** Gives the channel up, and tells the other end why. */
  giveUp(error: ConecError): void {
    void this.#control.send({ type: "close", closeCode: 0, reason: reasonText(error), code: error.code });
    this.#control.stopReading();
    this.end();
  }

  /** A data stream of this channel came. */
  deliver(stream: number, source: ByteSource): void {
    if (this.#inbox.waiting >= maxWaitingStreams) {
      const error = new ConecError("limit-exceeded", "Too many data streams for a channel that is not open yet");
      this.session.fail(error, "waitingStreams");
      return;
    }
    this.#inbox.stream(stream, source);
  }

  async #read(): Promise<void> {
    let error: ConecError | undefined;
    let closed: CloseInfo | undefined;
    try {
      for (
        let message = await this.#control.receive();
        message !== undefined;
        message = await this.#control.receive()
      ) {
        if (!this.session.heard(this.channel, message)) continue;
        const handled = this.#inbox.message(message);
        if (handled !== undefined) await handled;
        if (message.type !== "close") continue;
        this.#control.stopReading();
        break;
      }
    } catch (thrown) {
      error = await this.session.explain(toConecError(thrown, "protocol-error", { source: "channel" }));
      if (error.source !== "connection") this.giveUp(error);
      if (error.code === "closed") closed = await this.session.connection.closed.catch(() => undefined);
    }
    this.session.removePath(this);
    this.#inbox.ended(error, closed);
  }
}

/** Streams that may come between the offer of a channel and its acceptance. */
const maxWaitingStreams = 1024;
const empty = new Uint8Array(0);
