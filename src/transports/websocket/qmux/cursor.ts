// SPDX-License-Identifier: Apache-2.0
import { readVarint, varintLengthFrom } from "../../../streams/varint.ts";
import { QmuxError } from "./qmux-error.ts";
import { readWideVarint } from "./wide-varint.ts";

/** Reads bytes from front to back. What is not there is a QmuxError FRAME_ENCODING_ERROR. */
export class Cursor {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** `Infinity` for a value above 2^53 − 1. */
  varint(): number {
    const end = this.#endOfVarint();
    const value = readVarint(this.#bytes, this.#offset);
    this.#offset = end;
    return value;
  }

  /** A varint that names something: as a bigint if it is above 2^53 − 1. */
  name(): number | bigint {
    const start = this.#offset;
    const value = this.varint();
    return value === Infinity ? readWideVarint(this.#bytes, start) : value;
  }

  /** The next bytes, as a view. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#offset) throw truncated();
    return this.#bytes.subarray(this.#offset, (this.#offset += length));
  }

  /** All that is left, as a view. */
  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#offset);
  }

  #endOfVarint(): number {
    const first = this.#bytes[this.#offset];
    const end = this.#offset + (first === undefined ? Infinity : varintLengthFrom(first));
    if (end > this.#bytes.length) throw truncated();
    return end;
  }
}

function truncated(): QmuxError {
  return new QmuxError("FRAME_ENCODING_ERROR", "a record that ends within a frame");
}
