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
  let failure: { error: unknown } | undefined;
  /** Rejects what is being waited for. */
  let interrupt: (error: unknown) => void = ignore;
  const fail = (error: unknown): void => {
    failure ??= { error };
    interrupt(error);
  };
  // Not Promise.race: that would leave something behind at a long-lived promise for every chunk.
  const unlessFailed = <V>(pending: Promise<V>): Promise<V> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) reject(failure.error);
      interrupt = reject;
      pending.then(resolve, reject);
    });
  const onAbort = (): void => fail(signal!.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  writer.closed.then(() => fail(new TypeError("The destination was closed")), fail);
  let written: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      await unlessFailed(writer.ready);
      const result = await unlessFailed(reader.read());
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
