// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../core/errors.ts";
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
 * the target has room, and its memory is given back when the target has taken it. The signal, and the loss of either
 * connection, end what is left without a reset: what was cut is said elsewhere.
 *
 * @throws what either stream broke with, or the signal's reason
 */
export async function forward(
  reader: ByteReader,
  writer: ByteWriter,
  signal: AbortSignal,
  progress: ForwardProgress,
): Promise<void> {
  const quit = (reason: unknown): void => {
    closeOrReset(writer, reason);
    void discard(reader, reason);
  };
  const fail = (error: unknown): void => {
    if (error instanceof ConecError && error.source === "connection") return quit(error);
    reader.cancel(error).catch(ignore);
    writer.abort(error).catch(ignore);
  };
  const abort = (): void => quit(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  /** What the target broke with, maybe while nothing came that could be written. */
  let broken: { error: unknown } | undefined;
  writer.closed.catch((error: unknown) => {
    broken = { error };
    fail(error);
  });
  try {
    for (;;) {
      if ((writer.desiredSize ?? 0) <= 0) {
        progress.isWaiting = true;
        await writer.ready;
        progress.isWaiting = false;
      }
      const { value, done } = await reader.read();
      if (done || signal.aborted || broken !== undefined) break;
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
    if (broken !== undefined) throw broken.error;
    fail(thrown);
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
