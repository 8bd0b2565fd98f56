// SPDX-License-Identifier: Apache-2.0
import type { MessageSink } from "./message-sink.ts";
import { MessageWriter } from "./message-writer.ts";

/** What goes along with a data stream when it is opened: any JSON, at most 4 KiB and 32 keys. */
export type Metadata = Record<string, JsonValue>;

/** What JSON can say. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/** What the opener of a stream says of it. */
export interface MessageStreamInfo {
  /** The name given when the stream was opened; empty if none was. */
  name: string;
  /** The metadata given when the stream was opened; an empty object if none was. */
  metadata: Metadata;
}

/**
 * A WritableStream of whole messages. Each chunk is one message and arrives as one chunk of the {@link MessageReadable}
 * at the other end.
 *
 * - `write(message)` waits while the reader is behind. The message's memory may be used again once it has resolved.
 *   A message over `maxMessageBytes` errors the stream with `message-too-large`, anything but bytes with
 *   `invalid-argument`.
 * - `close()` resolves when the other end has received every message; else it rejects.
 * - `abort(reason)` ends the stream at the other end with `aborted`, the reason's text and its `streamErrorCode`.
 * - When the reader cancels, pending and later calls reject with `cancelled`, the reader's text and its code.
 * - When the channel or the connection ends, they reject with its error, or with `closed`.
 *
 * @example
 * ```ts
 * const writable = await channel.createUnidirectionalStream({ name: "log" });
 * const writer = writable.getWriter();
 * await writer.write(new TextEncoder().encode("hello"));
 * await writer.close(); // received
 * ```
 */
export class MessageWritable extends WritableStream<Uint8Array> {
  /** As it was opened with; empty if without. */
  readonly name: string;
  /** As it was opened with; empty if without. */
  readonly metadata: Metadata;
  readonly #sink: MessageSink;

  /** @internal Opened by a Channel. */
  constructor(sink: MessageSink, info: Partial<MessageStreamInfo> = {}) {
    super(sink, sink.strategy);
    this.#sink = sink;
    this.name = info.name ?? "";
    this.metadata = info.metadata ?? {};
  }

  /**
   * How many messages the other end's conec is known to have received; it says so now and then, and when all have come. Also
   * after the stream has broken: then the messages behind them may or may not have arrived.
   */
  get confirmedMessages(): number {
    return this.#sink.confirmed;
  }

  /**
   * Writes a message if that needs no waiting; the message is copied. Returns false, and does nothing, while the
   * stream is full or earlier `write` calls wait: `await writer.ready`, then try again. Works whether or not the stream
   * is locked, and in one order with `write`.
   *
   * @throws ConecError `message-too-large` or `invalid-argument` (the stream goes on), `closed`, or what ended the stream
   */
  tryWrite(message: Uint8Array): boolean {
    return this.#sink.tryWrite(message);
  }

  /** As of any WritableStream; resolves when the other end has received every message. */
  override close(): Promise<void> {
    if (!this.locked) this.#sink.expectEnd();
    return super.close();
  }

  /** As of any WritableStream; `ready` also waits when {@link tryWrite} returned false. */
  override getWriter(): WritableStreamDefaultWriter<Uint8Array> {
    return new MessageWriter(this, this.#sink);
  }
}
