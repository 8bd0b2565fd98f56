import { watch } from "node:fs";
import { open } from "node:fs/promises";

/**
 * What is appended to a file from now on, until the signal fires. Is read when somebody reads, and not ahead.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>}
 */
export async function tail(path, signal) {
  const file = await open(path);
  let { size: position } = await file.stat();
  let wake = () => {};
  const watcher = watch(path, () => wake());
  const end = async () => {
    watcher.close();
    await file.close();
  };
  return new ReadableStream(
    {
      async pull(controller) {
        while (!signal.aborted) {
          // Before reading, so that what is written meanwhile is not missed.
          const changed = new Promise((resolve) => (wake = () => resolve(undefined)));
          signal.addEventListener("abort", wake, { once: true });
          // A new buffer each time: what was given away is somebody else's.
          const { bytesRead, buffer } = await file.read({ buffer: new Uint8Array(65_536), position });
          position += bytesRead;
          if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
          await changed;
          signal.removeEventListener("abort", wake);
        }
        controller.close();
        await end();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
