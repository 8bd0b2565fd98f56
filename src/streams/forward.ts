import type { ByteReader, ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";
import { closeOrReset, discard } from "./linger.ts";

/** How a stream that is forwarded gets on. */
export interface ForwardProgress {
  /** Chunks that were read. */
  moved: number;
  /** Whether the target has no room. */
  isWaiting: boolean;
  /** Told how many bytes more, or less, are on their way here. */
  readonly onHeld?: ((bytes: number) => void) | undefined;
}

/**
 * Forwards the rest of a byte stream, as `pipeTo` does: with backpressure, the end, abort and cancel. A chunk is read when
 * the target has room, and its memory is given back when the target has taken it. The signal ends both streams without a
 * reset: what was cut is said elsewhere.
 *
 * @throws what either stream broke with, or the signal's reason
 */
export async function forward(
  reader: ByteReader,
  writer: ByteWriter,
  signal: AbortSignal,
  progress: ForwardProgress,
): Promise<void> {
  const quit = (): void => {
    closeOrReset(writer, signal.reason);
    void discard(reader, signal.reason);
  };
  signal.addEventListener("abort", quit, { once: true });
  if (signal.aborted) quit();
  /** What the target broke with, maybe while nothing came that could be written. */
  let broken: { error: unknown } | undefined;
  writer.closed.catch((error: unknown) => {
    broken = { error };
    reader.cancel(error).catch(ignore);
  });
  try {
    for (;;) {
      if ((writer.desiredSize ?? 0) <= 0) {
        progress.isWaiting = true;
        await writer.ready;
        progress.isWaiting = false;
      }
      const { value, done } = await reader.read();
      if (done || signal.aborted) break;
      progress.moved += 1;
      progress.onHeld?.(value.length);
      writer.write(value).then(
        () => {
          progress.onHeld?.(-value.length);
          reader.recycle?.(value);
        },
        () => progress.onHeld?.(-value.length),
      );
    }
    signal.throwIfAborted();
    await writer.close();
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const error: unknown = broken === undefined ? thrown : broken.error;
    reader.cancel(error).catch(ignore);
    writer.abort(error).catch(ignore);
    throw error;
  } finally {
    signal.removeEventListener("abort", quit);
  }
}
