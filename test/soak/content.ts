/** What a stream carries follows from its seed and the number of the message: so its reader knows every byte, and any mix-up shows. */
import { randomAt } from "../support/network/seeded-random.js";

export interface Content {
  seed: number;
  /** Bytes, at most {@link maxMessageBytes}. */
  largest: number;
}

export const maxMessageBytes = 1024 * 1024;

/** Message `index`. Not to be written to. */
export function messageOf(content: Content, index: number): Uint8Array {
  const offset = (Math.imul(content.seed, 31) + Math.imul(index, 7919)) & (maxMessageBytes - 1);
  return block.subarray(offset, offset + lengthOf(content, index));
}

export function isMessageOf(bytes: Uint8Array, content: Content, index: number): boolean {
  return Buffer.compare(messageOf(content, index), bytes) === 0;
}

/** Many small ones, some empty, few large. */
function lengthOf({ seed, largest }: Content, index: number): number {
  const kind = randomAt(seed, 2 * index);
  if (kind < 0.05) return 0;
  const most = kind < 0.6 ? 200 : kind < 0.9 ? 8192 : kind < 0.99 ? 65_536 : maxMessageBytes;
  return Math.ceil(randomAt(seed, 2 * index + 1) * Math.min(most, largest));
}

const block = new Uint8Array(2 * maxMessageBytes);
for (let i = 0; i < block.length; i += 1) block[i] = randomAt(0, i) * 256;
