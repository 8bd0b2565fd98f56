// SPDX-License-Identifier: Apache-2.0
import { endMarker, maxHeaderBytes, writeHeader } from "./framing.ts";

/** Framed messages that wait to leave together in one chunk. */
export class MessageBatch {
  #bytes = noBytes;
  #used = 0;
  #messages = 0;

  /** Bytes that wait. */
  get size(): number {
    return this.#used;
  }

  /** Messages that wait. */
  get messages(): number {
    return this.#messages;
  }

  /** Copies a message in. */
  add(message: Uint8Array): void {
    this.#reserve(maxHeaderBytes + message.length);
    const body = writeHeader(this.#bytes, this.#used, message.length);
    this.#bytes.set(message, body);
    this.#used = body + message.length;
    this.#messages += 1;
  }

  /** Adds the end of the stream. */
  addEnd(): void {
    this.#reserve(endMarker.length);
    this.#bytes.set(endMarker, this.#used);
    this.#used += endMarker.length;
  }

  /** Gives out what waits, whose memory is the caller's from then on. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#used);
    // A busy stream gets its next batch at full size at once, a quiet one holds nothing.
    this.#bytes = this.#used >= busyBytes ? new Uint8Array(busyBytes + spareBytes) : noBytes;
    this.#used = this.#messages = 0;
    return bytes;
  }

  /** Drops what waits. */
  clear(): void {
    this.#bytes = noBytes;
    this.#used = this.#messages = 0;
  }

  /** Makes room, which grows by doubling. */
  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2, leastBytes));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}

/** A batch this full is that of a busy stream. */
export const busyBytes = 32_768;
const spareBytes = 4096 + maxHeaderBytes;
const leastBytes = 256;
const noBytes = new Uint8Array(0);
