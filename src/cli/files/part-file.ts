// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { constants } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { partSuffix, shortened } from "./hostile-names.ts";
import { NotTaken } from "./received-folder.ts";
import type { Place } from "./received-folder.ts";

/**
 * A file that is not whole yet, beside the place where it belongs. It stays when its sender goes away, and goes on from
 * where it was: its name is made of its place and of whom it comes from, so nobody else's bytes get into it.
 */
export class PartFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #hash: Hash = createHash("sha256");
  #bytes = 0;
  #isOpen = true;

  /** Opens the part that is there, or a new one. @throws NotTaken */
  static async open({ folder, name }: Place, owner: string): Promise<PartFile> {
    const mark = createHash("sha256").update(`${owner}\n${name}`).digest("hex").slice(0, 12);
    const suffix = `.${mark}${partSuffix}`;
    const path = join(folder, `.${shortened(name, 254 - suffix.length)}${suffix}`);
    try {
      // A link in its place is not followed.
      const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
      const handle = await open(path, flags, 0o600);
      if ((await handle.stat()).isFile()) return new PartFile(path, handle);
      await handle.close();
      throw new NotTaken("failed", `${path} is no file`);
    } catch (error) {
      throw notTaken(error, folder);
    }
  }

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what is there. Returns its SHA-256. @throws the signal's reason */
  async readBack(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
    const buffer = Buffer.allocUnsafe(readBytes);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#handle.read(buffer, 0, readBytes, this.#bytes);
      if (bytesRead === 0) return this.#hash.copy().digest("hex");
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#bytes += bytesRead;
      onBytes(bytesRead);
    }
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash("sha256");
    this.#bytes = 0;
  }

  /** @throws NotTaken `no-space` before anything is written, if that can be known */
  async assertRoomFor(bytes: number): Promise<void> {
    const { bavail, bsize, blocks } = await statfs(this.path).catch(() => ({ bavail: 0, bsize: 0, blocks: 0 }));
    if (blocks > 0 && bavail * bsize < bytes)
      throw new NotTaken("no-space", `There is no room: ${bytes} bytes are to come, ${bavail * bsize} are free`);
  }

  /** @throws NotTaken `no-space`, `failed` */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let offset = 0; offset < chunk.length;) {
        const { bytesWritten } = await this.#handle.write(chunk, offset, chunk.length - offset, this.#bytes + offset);
        offset += bytesWritten;
      }
    } catch (error) {
      throw notTaken(error, this.path);
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** SHA-256 of what is there now. */
  sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** It is whole: gives it its times and permissions, less those that this user's umask takes away. */
  async finish({ mode, modifiedMs }: { mode?: number | undefined; modifiedMs?: number | undefined }): Promise<void> {
    await this.#handle.truncate(this.#bytes);
    await this.#handle.chmod((mode ?? 0o666) & ~process.umask()).catch(() => {});
    if (modifiedMs !== undefined) await this.#handle.utimes(new Date(), new Date(modifiedMs)).catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }
}

const readBytes = 256 * 1024;

/** What the file system says, as it is told to both ends. */
export function notTaken(thrown: unknown, where: string): unknown {
  const { code, message, syscall } = thrown as NodeJS.ErrnoException;
  if (thrown instanceof NotTaken || syscall === undefined) return thrown;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
    return new NotTaken(
      "no-space",
      "No space is left on the disk of the receiver; what has come stays, to go on from there",
    );
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new NotTaken("failed", "The receiver may not write there");
  return new NotTaken("failed", `The receiver cannot write it: ${message.replace(where, "…")}`);
}
