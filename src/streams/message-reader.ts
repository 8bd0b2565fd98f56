// SPDX-License-Identifier: Apache-2.0
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
