import { unrefTimeout } from "./timer.ts";
import type { ByteSource } from "./byte-ends.ts";

/**
 * Reads a stream that nobody wants to its end, so that the transport ends it without a reset, but not for ever: after
 * 10 s it is cancelled. Never rejects.
 */
export async function discard({ reader }: Pick<ByteSource, "reader">): Promise<void> {
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
