// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "./concat-bytes.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import { maxFieldSectionBytes } from "./frames.ts";
import { decodeHuffman } from "./huffman.ts";
import { staticTable } from "./static-table.ts";

/** A header field: name and value, one character a byte (latin1). */
export type Field = readonly [name: string, value: string];

/**
 * Encodes a field section with the static table and literals (RFC 9204, section 4.5), without Huffman code: what a
 * server of this kind says is short.
 */
export function encodeFieldSection(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0, 0)];
  for (const [name, value] of fields) {
    const whole = staticTable.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (whole >= 0) {
      parts.push(encodeInteger(0xc0, 6, whole));
      continue;
    }
    const named = staticTable.findIndex((entry) => entry[0] === name);
    if (named >= 0) parts.push(encodeInteger(0x50, 4, named));
    else parts.push(encodeInteger(0x20, 3, name.length), latin1Bytes(name));
    parts.push(encodeInteger(0x00, 7, value.length), latin1Bytes(value));
  }
  return concatBytes(parts);
}

/**
 * Decodes a field section of a peer that was told not to use a dynamic table (RFC 9204, section 4.5).
 *
 * @throws Http3Error `QPACK_DECOMPRESSION_FAILED`; for the stream only, when it is larger than
 * {@link maxFieldSectionBytes} once decoded (RFC 9114, section 4.2.2)
 */
export function decodeFieldSection(bytes: Uint8Array): Field[] {
  const reader = new FieldReader(bytes);
  // Required Insert Count and Base (4.5.1): without a dynamic table nothing can be required.
  if (reader.integer(8) !== 0) throw invalid("a reference to the dynamic table");
  reader.integer(7);
  const fields: Field[] = [];
  let size = 0;
  while (!reader.isAtEnd) {
    const field = decodeField(reader);
    size += field[0].length + field[1].length + fieldOverheadBytes;
    if (size > maxFieldSectionBytes) {
      throw new Http3Error(http3ErrorCodes.H3_EXCESSIVE_LOAD, "a field section that is too large", "stream");
    }
    fields.push(field);
  }
  return fields;
}

function decodeField(reader: FieldReader): Field {
  const first = reader.peek();
  if ((first & 0xc0) === 0xc0) return reader.staticEntry(6);
  if ((first & 0xd0) === 0x50) return [reader.staticEntry(4)[0], reader.string(7)];
  if ((first & 0xe0) === 0x20) return [reader.string(3), reader.string(7)];
  throw invalid("a reference to the dynamic table");
}

class FieldReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  peek(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw invalid("a field section that ends midway");
    return byte;
  }

  /** An integer in the lowest `prefixBits` of this byte and what follows (RFC 7541, section 5.1). */
  integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let value = this.#next() & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      if (shift > maxIntegerBits) throw invalid("an integer that is too large");
      const byte = this.#next();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  /** A string whose length is in the lowest `prefixBits`, and whether it is Huffman code in the bit above. */
  string(prefixBits: number): string {
    const isHuffman = (this.peek() & (1 << prefixBits)) !== 0;
    const length = this.integer(prefixBits);
    if (length > this.#bytes.length - this.#offset) throw invalid("a string that is longer than its field section");
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return latin1Text(isHuffman ? decodeHuffman(bytes) : bytes);
  }

  staticEntry(prefixBits: number): Field {
    const entry = staticTable[this.integer(prefixBits)];
    if (entry === undefined) throw invalid("an index beyond the static table");
    return entry;
  }

  #next(): number {
    const byte = this.peek();
    this.#offset += 1;
    return byte;
  }
}

function encodeInteger(flags: number, prefixBits: number, value: number): Uint8Array {
  const most = (1 << prefixBits) - 1;
  if (value < most) return Uint8Array.of(flags | value);
  const bytes = [flags | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function invalid(what: string): Http3Error {
  return new Http3Error(http3ErrorCodes.QPACK_DECOMPRESSION_FAILED, what);
}

/** What a field counts beside its name and value (RFC 9114, section 4.2.2). */
const fieldOverheadBytes = 32;
const maxIntegerBits = 35;
