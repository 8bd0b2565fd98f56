/** A byte stream to read: what was read of it already, and the reader, locked on it, that the rest comes from. */
export interface ByteSource {
  readonly head: Uint8Array;
  readonly readable: ReadableStream<Uint8Array>;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
}

/** A byte stream to write, and the writer that is locked on it. */
export interface ByteTarget {
  readonly writable: WritableStream<Uint8Array>;
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
}

/** Locks a stream. `head` was read of it before. */
export function byteSource(readable: ReadableStream<Uint8Array>, head: Uint8Array = nothing): ByteSource {
  return { head, readable, reader: readable.getReader() };
}

/** Locks a stream, and writes its first bytes. */
export function byteTarget(writable: WritableStream<Uint8Array>, ...head: Uint8Array[]): ByteTarget {
  const writer = writable.getWriter();
  for (const chunk of head) {
    if (chunk.length > 0) writer.write(chunk).catch(() => {}); // whoever goes on writing meets the same error
  }
  return { writable, writer };
}

const nothing = new Uint8Array(0);
