/**
 * `pipeTo` for a destination that the platform's own does not take: the WritableStream of another implementation.
 * The same rules (WHATWG Streams, ReadableStreamPipeTo) on the public methods of both streams.
 */
export async function pipeToForeign<T>(
  source: ReadableStream<T>,
  destination: WritableStream<T>,
  { preventClose = false, preventAbort = false, preventCancel = false, signal }: StreamPipeOptions = {},
): Promise<void> {
  if (source.locked) throw new TypeError("A stream that is locked cannot be piped");
  const writer = destination.getWriter();
  const reader = source.getReader();
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => (onAbort = () => reject(signal!.reason as Error)));
  aborted.catch(ignore);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const destinationEnded = writer.closed.then(() => {
    throw new TypeError("The destination was closed");
  });
  destinationEnded.catch(ignore);
  let written: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      await Promise.race([aborted, destinationEnded, writer.ready]);
      const result = await Promise.race([aborted, destinationEnded, reader.read()]);
      if (result.done) break;
      written = writer.write(result.value).catch(ignore);
    }
    if (!preventClose) await writer.close();
  } catch (error) {
    await written; // what was read before is not lost
    const cancel = preventCancel ? undefined : reader.cancel(error).catch(ignore);
    const abort = preventAbort ? undefined : writer.abort(error).catch(ignore);
    await Promise.all([cancel, abort]);
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    reader.releaseLock();
    writer.releaseLock();
  }
}

function ignore(): void {}
