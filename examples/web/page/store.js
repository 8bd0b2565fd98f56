/**
 * Where a received file is until it is saved. In the browser's private file system where that can be written as a
 * stream (Chromium 86, Firefox 111, Safari 26): then it takes no memory, whatever its size. Elsewhere as a Blob, put
 * together of large pieces, which browsers move to the disk as they see fit.
 *
 * Each tab has a folder of its own there, which the next tab that starts throws away once this one is gone.
 */

/** @import { Sink } from "../shared/transfer.js" */
/** @typedef {Sink & { content(): Blob }} Store `content` once it was kept. */

/** Pieces are handed on at this size: each takes its time, however short it is. */
const pieceBytes = 1024 * 1024;

/** @type {Promise<FileSystemDirectoryHandle> | undefined} */
let folder;

/**
 * @param {string} name
 * @returns {Promise<Store>}
 */
export async function createStore(name) {
  if (!("FileSystemFileHandle" in globalThis && "createWritable" in FileSystemFileHandle.prototype)) return blobStore();
  try {
    return await fileStore(await (folder ??= ownFolder()));
  } catch (error) {
    console.warn(`${name} is kept in memory`, error); // as in private windows
    return blobStore();
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<Store>}
 */
async function fileStore(folder) {
  const id = crypto.randomUUID();
  const handle = await folder.getFileHandle(id, { create: true });
  const file = await handle.createWritable();
  /** @type {File | undefined} */
  let content;
  return {
    writable: inPieces({
      write: (piece) => file.write(piece),
      close: () => file.close(),
      abort: (reason) => file.abort(reason),
    }),
    async keep() {
      content = await handle.getFile();
    },
    async discard() {
      await file.abort().catch(() => {}); // it is closed or aborted already
      await folder.removeEntry(id).catch(() => {});
    },
    content: () => /** @type {File} */ (content),
  };
}

/** @returns {Store} */
function blobStore() {
  let content = new Blob();
  return {
    writable: inPieces({
      write(piece) {
        content = new Blob([content, piece]);
      },
    }),
    async keep() {},
    async discard() {
      content = new Blob();
    },
    content: () => content,
  };
}

/**
 * Collects what is written.
 *
 * @param {UnderlyingSink<Uint8Array<ArrayBuffer>>} sink gets pieces of `pieceBytes` and more, and the rest
 * @returns {WritableStream<Uint8Array>}
 */
function inPieces({ write, close, abort }) {
  /** @type {Uint8Array[]} */
  let parts = [];
  let length = 0;
  const flush = async (/** @type {WritableStreamDefaultController} */ controller) => {
    const piece = new Uint8Array(length);
    let offset = 0;
    for (const part of parts) {
      piece.set(part, offset);
      offset += part.length;
    }
    parts = [];
    length = 0;
    await write?.(piece, controller);
  };
  /** @type {WritableStreamDefaultController} */
  let controller;
  return new WritableStream({
    start: (given) => void (controller = given),
    async write(chunk) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= pieceBytes) await flush(controller);
    },
    async close() {
      if (length > 0) await flush(controller);
      await close?.();
    },
    ...(abort && { abort }),
  });
}

/** A folder for this tab, under a lock that lives as long as the tab; those whose lock is gone are removed. */
async function ownFolder() {
  const root = await navigator.storage.getDirectory();
  const name = `conec-${crypto.randomUUID()}`;
  await new Promise((resolve, reject) => {
    navigator.locks.request(name, () => new Promise(() => resolve(undefined))).catch(reject);
  });
  const held = new Set((await navigator.locks.query()).held?.map((lock) => lock.name));
  for await (const other of root.keys()) {
    if (other.startsWith("conec-") && !held.has(other))
      await root.removeEntry(other, { recursive: true }).catch(() => {});
  }
  return await root.getDirectoryHandle(name, { create: true });
}
