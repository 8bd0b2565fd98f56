// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/**
 * Feeds the first `bytes` bytes of a file to a hash.
 *
 * @returns how many there were
 * @throws the signal's reason
 */
export async function hashBytes(handle: FileHandle, hash: Hash, bytes: number, signal: AbortSignal): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(bytes, readBytes)));
  let done = 0;
  while (done < bytes) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, bytes - done), done);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return done;
}

/** SHA-256 of a whole file, links not followed. */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const hash = createHash("sha256");
    await hashBytes(handle, hash, Infinity, signal);
    return hash.digest("hex");
  } finally {
    await handle.close();
  }
}

const readBytes = 256 * 1024;
