/** Received files in a folder: never over a file that is there, never outside of the folder. */
import { constants } from "node:fs";
import { copyFile, link, mkdir, open, unlink } from "node:fs/promises";
import { join, parse } from "node:path";
import { cleanFileName } from "./shared/names.js";

/** @import { Sink } from "./shared/transfer.js" */

/**
 * A place for a file. It gets its name when it is whole: until then it is called `.NAME.NUMBER.part`.
 *
 * @param {string} folder is made if it is not there
 * @param {string} name as the sender calls it
 * @returns {Promise<Sink & { path(): string | undefined }>} `path` is where it was kept
 */
export async function folderSink(folder, name) {
  await mkdir(folder, { recursive: true });
  const clean = cleanFileName(name);
  /** @type {string | undefined} */
  let kept;
  const part = await firstFree(
    (number) => join(folder, `.${clean}.${number}.part`),
    async (path) => await (await open(path, "wx")).close(),
  );
  const file = await open(part, "r+");
  let closed = false;
  const close = async () => {
    if (!closed) await file.close();
    closed = true;
  };
  return {
    writable: new WritableStream({
      async write(chunk) {
        for (let from = 0; from < chunk.length;) from += (await file.write(chunk, from)).bytesWritten;
      },
      close,
      abort: close,
    }),
    async keep() {
      const { name: stem, ext } = parse(clean);
      const pathOf = (/** @type {number} */ number) => join(folder, number === 0 ? clean : `${stem} (${number})${ext}`);
      kept = await firstFree(pathOf, (path) => moveUnlessThere(part, path));
    },
    async discard() {
      await close().catch(() => {});
      if (kept === undefined) await unlink(part).catch(() => {});
    },
    path: () => kept,
  };
}

/**
 * The first path for which `take` does not find that something is there already.
 *
 * @param {(number: number) => string} pathOf
 * @param {(path: string) => Promise<void>} take
 */
async function firstFree(pathOf, take) {
  for (let number = 0; ; number += 1) {
    const path = pathOf(number);
    try {
      await take(path);
      return path;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST" || number === 9999) throw error;
    }
  }
}

/**
 * Unlike a rename, this fails if there is something at `to`.
 *
 * @param {string} from
 * @param {string} to
 */
async function moveUnlessThere(from, to) {
  try {
    await link(from, to);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL); // a file system without hard links
  }
  await unlink(from);
}
