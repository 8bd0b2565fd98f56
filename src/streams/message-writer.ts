// SPDX-License-Identifier: Apache-2.0
import type { MessageSink } from "./message-sink.ts";

/**
 * The writer of a MessageWritable. To its user a WritableStreamDefaultWriter like any other; but small messages that
 * can be taken at once skip the stream's queue, which would cost more than all the rest of their way.
 */
export class MessageWriter extends WritableStreamDefaultWriter<Uint8Array> {
  readonly #sink: MessageSink;
  #released = false;

  constructor(writable: WritableStream<Uint8Array>, sink: MessageSink) {
    super(writable);
    this.#sink = sink;
  }

  override write(chunk: Uint8Array): Promise<void> {
    if (this.#released) return super.write(chunk);
    if (this.#sink.takeSmall(chunk)) return taken;
    const { refusal } = this.#sink;
    // Not to the stream: Node 20 takes a write behind the end for a fault of its own.
    return refusal === undefined ? super.write(chunk) : Promise.reject(refusal);
  }

  override close(): Promise<void> {
    if (!this.#released) this.#sink.expectEnd();
    return super.close();
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
  }

  /** Also waits when `tryWrite` returned false. */
  override get ready() {
    if (!this.#sink.blocked || this.#released) return super.ready;
    const ready = this.#sink.unblocked().then(() => super.ready);
    ready.catch(() => {}); // as with any writer, nobody has to look at it
    return ready;
  }
}

const taken = Promise.resolve();
