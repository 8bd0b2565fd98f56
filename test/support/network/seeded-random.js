/**
 * A pseudo-random number from 0 up to 1 for each index: always the same for the same seed, whatever was drawn before. So
 * what becomes of datagram n does not depend on what became of the others.
 *
 * @param {number} seed An integer.
 * @param {number} index An integer.
 */
export function randomAt(seed, index) {
  let x = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca77);
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  // Once more with the seed: else two seeds could give the same row, shifted.
  x = Math.imul((x ^ (x >>> 15)) + seed, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 13), 0x27d4eb2f);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
