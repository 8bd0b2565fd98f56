// SPDX-License-Identifier: Apache-2.0
import type { RecordWriter } from "./record-writer.ts";
import type { SendStream } from "./send-stream.ts";

/** Streams that have something to send, in turn, and the credit of the connection that they share. */
export class SendTurns {
  readonly #ready = new Set<SendStream>();
  /** They wait for credit of the connection. */
  readonly #starved = new Set<SendStream>();
  /** How many more bytes the connection may send. */
  #credit = 0;
  #limit = 0;

  add(stream: SendStream): void {
    this.#ready.add(stream);
  }

  delete(stream: SendStream): void {
    this.#ready.delete(stream);
    this.#starved.delete(stream);
  }

  clear(): void {
    this.#ready.clear();
    this.#starved.clear();
  }

  /** The other end takes so many bytes, since the connection began. */
  allow(limit: number): void {
    if (limit <= this.#limit) return;
    this.#credit += limit - this.#limit;
    this.#limit = limit;
    for (const stream of this.#starved) this.#ready.add(stream);
    this.#starved.clear();
  }

  /** Puts the streams' bytes and ends into a record, as far as it has room. */
  fillRecord(record: RecordWriter): void {
    for (const stream of this.#ready) {
      const sent = stream.fillRecord(record, this.#credit);
      if (sent === undefined) return;
      this.#credit -= sent;
      this.#ready.delete(stream);
      // Behind the others.
      if (stream.isReady) (this.#credit > 0 ? this.#ready : this.#starved).add(stream);
    }
  }
}
