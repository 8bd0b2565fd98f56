// SPDX-License-Identifier: Apache-2.0
import { ignore } from "./ignore.ts";

/**
 * `pipeTo` for a destination that the platform's own does not take: the WritableStream of another implementation. The
 * platform pipes to a stream of its own, which hands everything on.
 */
export async function pipeToForeign<T>(
  source: ReadableStream<T>,
  destination: WritableStream<T>,
  options?: StreamPipeOptions,
): Promise<void> {
  if (source.locked) throw new TypeError("A stream that is locked cannot be piped");
  const writer = destination.getWriter();
  let written: Promise<void> | undefined;
  const handingOn = new WritableStream<T>({
    start: (controller) => {
      const end = (error: unknown): void => controller.error(error);
      writer.closed.then(() => end(new TypeError("The destination was closed")), end);
      return writer.ready;
    },
    write: (chunk) => {
      written = writer.write(chunk).catch(ignore);
      return writer.ready;
    },
    close: () => writer.close(),
    abort: async (reason) => {
      await written; // what was read before is not lost
      await writer.abort(reason);
    },
  });
  try {
    await source.pipeTo(handingOn, options);
  } finally {
    writer.releaseLock();
  }
}
