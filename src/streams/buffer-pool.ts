// SPDX-License-Identifier: Apache-2.0
/**
 * Memory for copies that are needed only until a transport has taken them: a few blocks for the whole process, since a
 * new one for each message of a busy stream costs more than the copy.
 */
const blocks: ArrayBuffer[] = [];

/** Memory of `bytes`, with anything in it. */
export function borrow(bytes: number): Uint8Array {
  const isLarge = bytes > blockBytes / 2 && bytes <= blockBytes;
  return new Uint8Array(isLarge ? (blocks.pop() ?? new ArrayBuffer(blockBytes)) : new ArrayBuffer(bytes), 0, bytes);
}

/** Gives borrowed memory back; nobody may use it from now on. */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer.byteLength === blockBytes && blocks.length < maxBlocks) blocks.push(buffer as ArrayBuffer);
}

/** A message of 64 KiB with its header fits. */
const blockBytes = 65_536 + 64;
const maxBlocks = 64;
