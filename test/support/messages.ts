/** Messages whose content follows from their number, so that a mix-up of any two bytes shows. */

const block = new Uint8Array(1 << 20);
let seed = 0x2545f491;
for (let i = 0; i < block.length; i++) {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  block[i] = seed;
}

/** Message `index` of `length` bytes (at most 512 KiB). Do not write to it. */
export function message(index: number, length: number): Uint8Array {
  const offset = Math.imul(index, 7919) & 0x7ffff;
  return block.subarray(offset, offset + length);
}

/** Whether these are exactly the bytes of message `index`. */
export function isMessage(bytes: Uint8Array, index: number, length: number): boolean {
  if (bytes.length !== length) return false;
  const expected = message(index, length);
  for (let i = 0; i < length; i++) if (bytes[i] !== expected[i]) return false;
  return true;
}

/** A pseudo-random number from 0 up to 1 for each index, always the same. */
export function random(index: number): number {
  let x = Math.imul(index + 1, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
