// SPDX-License-Identifier: Apache-2.0
/** What `for await` over a stream runs on (WHATWG Streams, "Asynchronous iteration"). */
export class ReaderIterator<T> implements ReadableStreamAsyncIterator<T> {
  readonly #reader: ReadableStreamDefaultReader<T>;
  readonly #preventCancel: boolean;
  #over = false;

  constructor(reader: ReadableStreamDefaultReader<T>, { preventCancel = false }: ReadableStreamIteratorOptions = {}) {
    this.#reader = reader;
    this.#preventCancel = preventCancel;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
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
  async return(value?: unknown): Promise<IteratorResult<T, undefined>> {
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
