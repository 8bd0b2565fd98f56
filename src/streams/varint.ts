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
  if (value < 0x40) {
    target[offset] = value;
    return offset + 1;
  }
  if (value < 0x4000) {
    target[offset] = 0x40 | (value >>> 8);
    target[offset + 1] = value & 0xff;
    return offset + 2;
  }
  if (value < 0x4000_0000) {
    target[offset] = 0x80 | (value >>> 24);
    writeUint24(target, offset + 1, value);
    return offset + 4;
  }
  const high = Math.floor(value / 2 ** 32);
  target[offset] = 0xc0 | (high >>> 24);
  writeUint24(target, offset + 1, high);
  target[offset + 4] = (value >>> 24) & 0xff;
  writeUint24(target, offset + 5, value);
  return offset + 8;
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
  const first = bytes[offset]!;
  switch (first >>> 6) {
    case 0:
      return first;
    case 1:
      return ((first & 0x3f) << 8) | bytes[offset + 1]!;
    case 2:
      return ((first & 0x3f) << 24) | readUint24(bytes, offset + 1);
    default: {
      const high = ((first & 0x3f) << 24) | readUint24(bytes, offset + 1);
      if (high > 0x1f_ffff) return Infinity;
      return high * 2 ** 32 + bytes[offset + 4]! * 2 ** 24 + readUint24(bytes, offset + 5);
    }
  }
}

/** The shortest forms of `values`, one behind the other. */
export function encodeVarints(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + varintLength(value), 0));
  values.reduce((offset, value) => writeVarint(bytes, offset, value), 0);
  return bytes;
}

function writeUint24(target: Uint8Array, offset: number, value: number): void {
  target[offset] = (value >>> 16) & 0xff;
  target[offset + 1] = (value >>> 8) & 0xff;
  target[offset + 2] = value & 0xff;
}

function readUint24(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 16) | (bytes[offset + 1]! << 8) | bytes[offset + 2]!;
}
