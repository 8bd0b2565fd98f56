/**
 * `pipeTo` for a destination that the platform's own does not take: the WritableStream of another implementation.
 * The same rules (WHATWG Streams, ReadableStreamPipeTo) on the public methods of both streams.
 */
export async function pipeToForeign<T>(
  source: ReadableStream<T>,
  destination: WritableStream<T>,
  { preventClose = false, preventAbort = false, preventCancel = false, signal }: StreamPipeOptions = {},
): Promise<void> {
  signal?.throwIfAborted();
  const reader = source.getReader();
  const writer = destination.getWriter();
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(ignore);
  const destinationEnded = writer.closed.then(() => {
    throw new TypeError("The destination was closed");
  });
  destinationEnded.catch(ignore);
  try {
    for (;;) {
      await Promise.race([writer.ready, aborted, destinationEnded]);
      const result = await Promise.race([reader.read(), aborted, destinationEnded]);
      if (result.done) break;
      writer.write(result.value).catch(ignore);
    }
    if (!preventClose) await writer.close();
  } catch (error) {
    const cancel = preventCancel ? undefined : reader.cancel(error).catch(ignore);
    const abort = preventAbort ? undefined : writer.abort(error).catch(ignore);
    await Promise.all([cancel, abort]);
    throw error;
  } finally {
    reader.releaseLock();
    writer.releaseLock();
  }
}

function ignore(): void {}
