// SPDX-License-Identifier: Apache-2.0
/**
 * Memory that received bytes are read into: one allocation for many small reads. What was taken belongs to the reader;
 * several chunks share an ArrayBuffer. Once all that was taken of a block was recycled, the block is used again.
 */
export class Slab {
  #block = new Block(0);
  #offset = 0;
  readonly #blockOf = new WeakMap<ArrayBufferLike, Block>();
  readonly #free: Block[] = [];

  /** Room for at least 32 KiB: each read costs, and what is left of a block soon comes back. */
  room(): Buffer {
    if (this.#block.buffer.length - this.#offset < leastBytes) this.#renew();
    return this.#offset === 0 ? this.#block.buffer : this.#block.buffer.subarray(this.#offset);
  }

  /** The first `length` bytes of the room last returned. */
  take(length: number): Uint8Array {
    const start = this.#offset;
    this.#offset += length;
    this.#block.chunksOut += 1;
    return new Uint8Array(this.#block.buffer.buffer, start, length);
  }

  /** A chunk that was taken is not looked at any more, by anybody. */
  recycle({ buffer }: Uint8Array): void {
    const block = this.#blockOf.get(buffer);
    if (block === undefined || --block.chunksOut > 0) return;
    if (block === this.#block) this.#offset = 0;
    else if (this.#free.length < mostFreeBlocks) this.#free.push(block);
  }

  #renew(): void {
    this.#offset = 0;
    this.#block = this.#free.pop() ?? new Block(blockBytes);
    this.#blockOf.set(this.#block.buffer.buffer, this.#block);
  }
}

class Block {
  readonly buffer: Buffer;
  chunksOut = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }
}

const blockBytes = 64 * 1024;
const leastBytes = 32_768;
const mostFreeBlocks = 16;
