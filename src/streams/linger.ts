// SPDX-License-Identifier: Apache-2.0
/**
 * Ways to end a transport's stream without a reset, which costs more than it says (docs/protocol.md): but not for ever.
 */
import type { ByteReader, ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";
import { unrefTimeout } from "./timer.ts";

/** Ends a stream behind what was written to it. If that does not leave in 10 s, the stream is reset with the reason. */
export function closeOrReset(writer: ByteWriter, reason: unknown): void {
  writer.close().catch(ignore);
  resetLater(writer, reason);
}

/** The same for a stream that is being closed. */
export function resetLater(writer: ByteWriter, reason: unknown): void {
  const stop = unrefTimeout(lingerMs, () => void writer.abort(reason).catch(ignore));
  writer.closed.then(stop, stop);
}

/** Stops a stream with the reason, unless it ends by itself within 10 s. */
export function endOrCancel(reader: ByteReader, reason: unknown): void {
  const stop = unrefTimeout(lingerMs, () => void reader.cancel(reason).catch(ignore));
  reader.closed.then(stop, stop);
}

/** Reads a stream that nobody wants to its end. Never rejects. */
export async function discard(reader: ByteReader, reason: unknown = "not wanted"): Promise<void> {
  endOrCancel(reader, reason);
  try {
    for (let result = await reader.read(); !result.done; result = await reader.read()) reader.recycle?.(result.value);
  } catch {
    // It broke, which ends it as well.
  }
}

const lingerMs = 10_000;
