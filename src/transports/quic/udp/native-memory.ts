// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import type { Libc } from "./libc.ts";

/**
 * Memory that C sees, zeroed: of its own, outside of what the garbage collector moves. It must be held as long as its
 * address is in use anywhere.
 */
export class NativeMemory {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly address: number;

  constructor(libc: Libc, size: number) {
    this.bytes = Buffer.alloc(size);
    this.words = new Uint32Array(this.bytes.buffer, 0, size >> 2);
    this.address = libc.addressOf(this.bytes);
    if (!Number.isSafeInteger(this.address) || this.address <= 0) {
      throw new ConecError("internal", "Memory has an address that is no safe integer");
    }
  }

  /** Writes at a word of this memory where the `length` bytes of `target` from `start` on are. */
  point(word: number, target: NativeMemory, start: number, length: number): void {
    if (start < 0 || length <= 0 || start + length > target.bytes.length) throw new RangeError("Outside of the memory");
    const address = target.address + start;
    this.words[word] = address % 2 ** 32;
    this.words[word + 1] = Math.floor(address / 2 ** 32);
  }
}
