// SPDX-License-Identifier: Apache-2.0
/**
 * Received bytes that wait for their reader. However they came in, they take little more than twice their number: a
 * chunk that is a small part of its buffer is copied, so that a byte does not hold a record, and small ones are put
 * together, so that many bytes are not an object each.
 */
export class ChunkQueue {
  readonly #chunks: Uint8Array[] = [];
  /** Behind the chunks: small ones put together, the first `#used` bytes. */
  #block = empty;
  #used = 0;
  #bytes = 0;

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (chunk.length <= smallBytes) {
      this.#append(chunk);
      return;
    }
    this.#seal();
    this.#chunks.push(chunk.length * 2 >= chunk.buffer.byteLength ? chunk : chunk.slice());
  }

  shift(): Uint8Array | undefined {
    if (this.#chunks.length === 0) this.#seal();
    const chunk = this.#chunks.shift();
    this.#bytes -= chunk?.length ?? 0;
    return chunk;
  }

  /** Forgets all; returns how many bytes that were. */
  clear(): number {
    const bytes = this.#bytes;
    this.#chunks.length = this.#bytes = this.#used = 0;
    this.#block = empty;
    return bytes;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#used + chunk.length;
    if (needed > blockBytes) {
      this.#seal();
      this.#append(chunk);
      return;
    }
    if (needed > this.#block.length) {
      const larger = new Uint8Array(Math.max(needed, Math.min(2 * this.#used, blockBytes)));
      larger.set(this.#block.subarray(0, this.#used));
      this.#block = larger;
    }
    this.#block.set(chunk, this.#used);
    this.#used = needed;
  }

  /** The block becomes a chunk like the others. */
  #seal(): void {
    if (this.#used > 0) this.#chunks.push(this.#block.subarray(0, this.#used));
    this.#block = empty;
    this.#used = 0;
  }
}

const smallBytes = 1024;
const blockBytes = 4096;
const empty = new Uint8Array(0);
