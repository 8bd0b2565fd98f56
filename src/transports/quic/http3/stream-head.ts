// SPDX-License-Identifier: Apache-2.0
import { unrefTimeout } from "../../../streams/timer.ts";
import { readVarint, varintLengthFrom } from "../../../streams/varint.ts";
import { concatBytes } from "./concat-bytes.ts";

/** Reads what a stream begins with; the rest goes to somebody else. */
export class StreamHead {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** What was read and does not belong to somebody else yet. */
  #bytes: Uint8Array = empty;
  #offset = 0;

  constructor(readable: ReadableStream<Uint8Array>) {
    this.#reader = readable.getReader();
  }

  /** The next varint; undefined when the stream ends before it is complete. Rejects when the stream breaks. */
  async varint(): Promise<number | undefined> {
    for (;;) {
      const first = this.#bytes[this.#offset];
      const end = first === undefined ? Infinity : this.#offset + varintLengthFrom(first);
      if (end <= this.#bytes.length) {
        const value = readVarint(this.#bytes, this.#offset);
        this.#offset = end;
        return value;
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#bytes = this.#bytes.length === 0 ? value : concatBytes([this.#bytes, value]);
    }
  }

  /** Goes back to the beginning. */
  rewind(): void {
    this.#offset = 0;
  }

  /** The next bytes, whatever they are; undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    const held = this.#bytes.subarray(this.#offset);
    this.#bytes = empty;
    this.#offset = 0;
    if (held.length > 0) return held;
    const { value, done } = await this.#reader.read();
    return done ? undefined : value;
  }

  /** Everything from here on, as a stream that reads only when it is read. */
  rest(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = await this.read();
          if (bytes === undefined) controller.close();
          else controller.enqueue(bytes);
        },
        cancel: (reason) => this.#reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** Reads to the end and forgets it, but not for ever: after 10 s the stream is cancelled. Never rejects. */
  async discard(reason: unknown): Promise<void> {
    const stop = unrefTimeout(discardMs, () => this.cancel(reason));
    try {
      while ((await this.read()) !== undefined);
    } catch {
      // It broke, which ends it as well.
    } finally {
      stop();
    }
  }

  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(ignore);
  }
}

const discardMs = 10_000;
const empty = new Uint8Array(0);

function ignore(): void {}
