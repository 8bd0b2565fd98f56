const slabBytes = 64 * 1024;
const leastBytes = 4096;

/**
 * Memory that received bytes are read into: one allocation for many small reads. What was taken belongs to the reader;
 * several chunks share an ArrayBuffer.
 */
export class Slab {
  #buffer = Buffer.alloc(0);
  #offset = 0;

  /** Room for at least 4096 bytes. */
  room(): Buffer {
    if (this.#buffer.length - this.#offset < leastBytes) {
      this.#buffer = Buffer.allocUnsafeSlow(slabBytes);
      this.#offset = 0;
    }
    return this.#offset === 0 ? this.#buffer : this.#buffer.subarray(this.#offset);
  }

  /** The first `length` bytes of the room last returned. */
  take(length: number): Uint8Array {
    const start = this.#offset;
    this.#offset += length;
    return new Uint8Array(this.#buffer.buffer, start, length);
  }
}
