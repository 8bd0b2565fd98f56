/**
 * Gets both streams by transfer. Backpressure, aborts and cancels come through; that a `close` has resolved says here only that
 * the page has been told, not that the far end has everything.
 *
 * @param {MessageEvent<{ readable: ReadableStream<Uint8Array<ArrayBuffer>>, writable: WritableStream<Uint8Array> }>} event
 */
onmessage = async ({ data: { readable, writable } }) => {
  await readable.pipeThrough(new CompressionStream("gzip")).pipeTo(writable);
};
