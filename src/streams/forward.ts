import type { ByteSource, ByteTarget } from "./byte-ends.ts";

/**
 * Forwards the rest of a byte stream by `pipeTo`, which brings backpressure, the end, abort and cancel with it. What was
 * read of it already, its head, is the caller's to write first.
 *
 * @throws what either stream broke with, or the signal's reason
 */
export async function forward(
  { readable, reader }: ByteSource,
  { writable, writer }: ByteTarget,
  signal: AbortSignal,
): Promise<void> {
  reader.releaseLock();
  writer.releaseLock();
  await readable.pipeTo(writable, { signal });
}
