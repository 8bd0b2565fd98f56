import type { MessageSource } from "./message-source.ts";

type Message = Uint8Array<ArrayBuffer>;

/**
 * The reader of a MessageReadable. To its user a ReadableStreamDefaultReader like any other; but messages that are
 * there already skip the stream's machinery, which would cost more than all the rest of their way.
 */
export class MessageReader extends ReadableStreamDefaultReader<Message> {
  readonly #source: MessageSource;
  #released = false;

  constructor(readable: ReadableStream<Message>, source: MessageSource) {
    super(readable);
    this.#source = source;
  }

  override read(): Promise<ReadableStreamReadResult<Message>> {
    const value = this.#released ? undefined : this.#source.takeReady();
    return value === undefined ? super.read() : Promise.resolve({ value, done: false });
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
    this.#source.released();
  }
}

/** What `for await` over a MessageReadable runs on (WHATWG Streams, asynchronous iteration). */
export class MessageIterator implements ReadableStreamAsyncIterator<Message> {
  readonly #reader: MessageReader;
  readonly #preventCancel: boolean;
  #over = false;

  constructor(reader: MessageReader, { preventCancel = false }: ReadableStreamIteratorOptions = {}) {
    this.#reader = reader;
    this.#preventCancel = preventCancel;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#over) return { value: undefined, done: true };
    try {
      const { value, done } = await this.#reader.read();
      if (!done) return { value, done };
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#end();
    return { value: undefined, done: true };
  }

  /** The loop was left early: cancels the stream, unless `preventCancel` was set. */
  async return(value?: unknown): Promise<IteratorResult<Message, undefined>> {
    if (!this.#over) {
      const cancelled = this.#preventCancel ? undefined : this.#reader.cancel(value);
      this.#end();
      await cancelled;
    }
    return { value: value as undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #end(): void {
    if (!this.#over) this.#reader.releaseLock();
    this.#over = true;
  }
}
