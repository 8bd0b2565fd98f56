import type { ByteSource } from "./message-source.ts";

/**
 * Forwards the rest of a byte stream: what was read of it already, then everything else by `pipeTo`, which brings
 * backpressure, the end, abort and cancel with it.
 *
 * @param writable not locked; its first bytes may have been written
 * @throws what either stream broke with, or the signal's reason
 */
export async function forward(
  { head, readable }: ByteSource,
  writable: WritableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  if (head.length > 0) {
    const writer = writable.getWriter();
    writer.write(head).catch(() => {}); // pipeTo meets the same error
    writer.releaseLock();
  }
  await readable.pipeTo(writable, signal === undefined ? {} : { signal });
}
