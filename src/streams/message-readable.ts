// SPDX-License-Identifier: Apache-2.0
import { MessageReader } from "./message-reader.ts";
import type { MessageSource } from "./message-source.ts";
import { ReaderIterator } from "./reader-iterator.ts";
import type { MessageStreamInfo, Metadata } from "./message-writable.ts";
import { pipeToForeign } from "./foreign.ts";

/**
 * A ReadableStream of whole messages, in the order they were written. Each read gives one message as a Uint8Array,
 * which may share its ArrayBuffer with other messages: copy it before you transfer its buffer.
 *
 * - The stream closes when the writer closed it and every message was read.
 * - It errors with `aborted` (the writer's text and `streamErrorCode`), `truncated` when it was cut inside a message,
 *   `message-too-large` when a message is longer than `maxMessageBytes` here, or what ended the channel or connection.
 * - `cancel(reason)` makes the writer's calls reject with `cancelled`, the reason's text and its `streamErrorCode`.
 * - Not reading makes the writer wait; other streams go on.
 *
 * @example
 * ```ts
 * for await (const readable of channel.incomingUnidirectionalStreams) {
 *   for await (const message of readable) console.log(readable.name, message.length);
 * }
 * ```
 */
export class MessageReadable extends ReadableStream<Uint8Array<ArrayBuffer>> {
  /** As it was opened with; empty if without. */
  readonly name: string;
  /** As it was opened with; empty if without. */
  readonly metadata: Metadata;
  readonly #source: MessageSource;

  /** @internal Surfaces from a Channel. */
  constructor(source: MessageSource, info: Partial<MessageStreamInfo> = {}) {
    super(source, { highWaterMark: 0 });
    this.#source = source;
    this.name = info.name ?? "";
    this.metadata = info.metadata ?? {};
  }

  /**
   * The next message if one is there; undefined if none is, at the end of the stream, or while an earlier read waits.
   * Never waits. Works whether or not the stream is locked, and in one order with reads.
   *
   * @throws ConecError what ended the stream, once the messages before it were taken
   */
  tryRead(): Uint8Array<ArrayBuffer> | undefined {
    return this.#source.tryRead();
  }

  /** As of any ReadableStream. */
  override getReader(options: { mode: "byob" }): ReadableStreamBYOBReader;
  override getReader(): ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  override getReader(options?: ReadableStreamGetReaderOptions): ReadableStreamReader<Uint8Array<ArrayBuffer>>;
  override getReader(options?: ReadableStreamGetReaderOptions): ReadableStreamReader<Uint8Array<ArrayBuffer>> {
    return options?.mode === undefined ? new MessageReader(this, this.#source) : super.getReader(options);
  }

  /** As of any ReadableStream. */
  override values(options?: ReadableStreamIteratorOptions): ReadableStreamAsyncIterator<Uint8Array<ArrayBuffer>> {
    return new ReaderIterator(new MessageReader(this, this.#source), options);
  }

  /** As of any ReadableStream. */
  override [Symbol.asyncIterator](
    options?: ReadableStreamIteratorOptions,
  ): ReadableStreamAsyncIterator<Uint8Array<ArrayBuffer>> {
    return this.values(options);
  }

  /** As of any ReadableStream; `destination` may be of another implementation, such as web-streams-polyfill. */
  override pipeTo(
    destination: WritableStream<Uint8Array<ArrayBuffer>> | WritableStream<Uint8Array>,
    options?: StreamPipeOptions,
  ): Promise<void> {
    if (isNative(destination)) return super.pipeTo(destination, options);
    return pipeToForeign(this, destination, options);
  }

  /** As of any ReadableStream; `transform` may be of another implementation. */
  override pipeThrough<T>(
    transform: ReadableWritablePair<T, Uint8Array<ArrayBuffer>>,
    options?: StreamPipeOptions,
  ): ReadableStream<T> {
    const { writable: foreign }: { writable: WritableStream<Uint8Array<ArrayBuffer>> } = transform;
    if (isNative(foreign)) return super.pipeThrough(transform, options);
    if (this.locked || foreign.locked) throw new TypeError("A stream that is locked cannot be piped through");
    pipeToForeign(this, foreign, options).catch(() => {});
    return transform.readable;
  }
}

function isNative(stream: unknown): boolean {
  return stream instanceof WritableStream;
}
