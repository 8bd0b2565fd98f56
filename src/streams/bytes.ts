import { ConecError } from "../core/errors.ts";

/**
 * The bytes of a chunk that someone wrote: a Uint8Array as it is, other views and ArrayBuffers as bytes over the same
 * memory.
 *
 * @throws ConecError `invalid-argument` for anything else, and for a detached buffer.
 */
export function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) {
    if (chunk.length === 0) refuseDetached(chunk.buffer);
    return chunk;
  }
  if (ArrayBuffer.isView(chunk)) {
    if (chunk.byteLength === 0) refuseDetached(chunk.buffer);
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (chunk instanceof ArrayBuffer) {
    refuseDetached(chunk);
    return new Uint8Array(chunk);
  }
  throw new ConecError("invalid-argument", `A message must be a Uint8Array, not ${describe(chunk)}`, { source: "stream" });
}

function refuseDetached(buffer: ArrayBufferLike): void {
  try {
    new Uint8Array(buffer);
  } catch (cause) {
    throw new ConecError("invalid-argument", "The buffer of this message was detached", { source: "stream", cause });
  }
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value;
}
