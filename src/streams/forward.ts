import type { ByteReader, ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/**
 * Forwards the rest of a byte stream, as `pipeTo` does: with backpressure, the end, abort and cancel. A chunk is read when
 * the target has room, and its memory is given back when the target has taken it.
 *
 * @throws what either stream broke with, or the signal's reason; both have ended then
 */
export async function forward(reader: ByteReader, writer: ByteWriter, signal: AbortSignal): Promise<void> {
  const end = (error: unknown): void => {
    reader.cancel(error).catch(ignore);
    writer.abort(error).catch(ignore);
  };
  const stop = (): void => end(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  /** What the target broke with, maybe while nothing came that could be written. */
  let broken: { error: unknown } | undefined;
  writer.closed.catch((error: unknown) => {
    broken = { error };
    reader.cancel(error).catch(ignore);
  });
  try {
    for (;;) {
      if ((writer.desiredSize ?? 0) <= 0) await writer.ready;
      const { value, done } = await reader.read();
      if (done) break;
      writer.write(value).then(() => reader.recycle?.(value), ignore);
    }
    signal.throwIfAborted();
    await writer.close();
  } catch (thrown) {
    const error: unknown = broken === undefined ? thrown : broken.error;
    end(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
