// SPDX-License-Identifier: Apache-2.0
/**
 * Variable-length integers of QUIC (RFC 9000, section 16): the two top bits of the first byte give the length,
 * 1, 2, 4 or 8 bytes, the rest is the value, big-endian.
 */

/** Largest value that conec writes: what a JavaScript number holds exactly. */
export const maxVarint = Number.MAX_SAFE_INTEGER;

/** How many bytes `value` takes, in its shortest form. */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x4000_0000) return 4;
  return 8;
}

/**
 * Writes `value` (an integer from 0 to 2^53 − 1) in its shortest form at `offset` and returns the offset behind it.
 * The caller has made room: see {@link varintLength}.
 */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  const length = varintLength(value);
  let rest = value;
  for (let index = offset + length - 1; index >= offset; index -= 1) {
    target[index] = rest; // its last 8 bits
    rest = Math.floor(rest / 256);
  }
  target[offset]! |= (length === 8 ? 3 : length >> 1) << 6;
  return offset + length;
}

/** How many bytes the varint takes that begins with `firstByte`. */
export function varintLengthFrom(firstByte: number): 1 | 2 | 4 | 8 {
  return (1 << (firstByte >>> 6)) as 1 | 2 | 4 | 8;
}

/**
 * Reads the varint at `offset`, of which all bytes are there (see {@link varintLengthFrom}). Longer forms than needed
 * are valid. A value above 2^53 − 1 reads as `Infinity`: larger than any limit.
 */
export function readVarint(bytes: Uint8Array, offset: number): number {
  const end = offset + varintLengthFrom(bytes[offset]!);
  let value = bytes[offset]! & 0x3f;
  for (let index = offset + 1; index < end; index += 1) value = value * 256 + bytes[index]!;
  return value > maxVarint ? Infinity : value;
}

/** The shortest forms of `values`, one behind the other. */
export function encodeVarints(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + varintLength(value), 0));
  values.reduce((offset, value) => writeVarint(bytes, offset, value), 0);
  return bytes;
}
