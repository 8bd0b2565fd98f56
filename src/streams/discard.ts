import { unrefTimeout } from "./timer.ts";

/**
 * Reads a stream that nobody wants to its end, so that the transport ends it without a reset, but not for ever: after
 * 10 s it is cancelled. Never rejects.
 */
export async function discard(readable: ReadableStream<Uint8Array>): Promise<void> {
  const reader = readable.getReader();
  const stop = unrefTimeout(discardMs, () => void reader.cancel("not wanted").catch(() => {}));
  try {
    while (!(await reader.read()).done);
  } catch {
    // It broke, which ends it as well.
  } finally {
    stop();
  }
}

const discardMs = 10_000;
