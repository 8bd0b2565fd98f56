/**
 * What a stream carries follows from its seed and the number of the message, so that its reader knows every byte, and any
 * mix-up shows.
 */

/** @typedef {{ seed: number, largest: number }} Content `largest`: bytes, at most {@link maxMessageBytes}. */

export const maxMessageBytes = 1024 * 1024;

const block = new Uint8Array(2 * maxMessageBytes);
let state = 0x2545f491;
for (let i = 0; i < block.length; i += 1) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  block[i] = state;
}

/** Message `index`. Not to be written to. @param {Content} content @param {number} index */
export function messageOf(content, index) {
  const offset = (Math.imul(content.seed, 31) + Math.imul(index, 7919)) & (maxMessageBytes - 1);
  return block.subarray(offset, offset + lengthOf(content, index));
}

/** @param {Uint8Array} bytes @param {Content} content @param {number} index */
export function isMessageOf(bytes, content, index) {
  const expected = messageOf(content, index);
  return expected.length === bytes.length && Buffer.compare(expected, bytes) === 0;
}

/** Many small ones, some empty, few large. @param {Content} content @param {number} index */
function lengthOf({ seed, largest }, index) {
  const [kind, size] = [scatter(seed, 2 * index), scatter(seed, 2 * index + 1)];
  if (kind < 0.05) return 0;
  const most = kind < 0.6 ? 200 : kind < 0.9 ? 8192 : kind < 0.99 ? 65_536 : maxMessageBytes;
  return Math.ceil(size * Math.min(most, largest));
}

/** From 0 up to 1, always the same for the same two. @param {number} seed @param {number} index */
function scatter(seed, index) {
  let x = Math.imul((seed + Math.imul(index, 0x85ebca6b)) | 0, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
