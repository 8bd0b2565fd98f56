// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../core/errors.ts";

/**
 * The bytes of a chunk that someone wrote: a Uint8Array as it is, other views and ArrayBuffers as bytes over the same
 * memory.
 *
 * @throws ConecError `invalid-argument` for anything else, and for a detached buffer.
 */
export function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) {
    orDetached(() => chunk.set(nothing));
    return chunk;
  }
  if (ArrayBuffer.isView(chunk)) return orDetached(() => viewOf(chunk));
  if (chunk instanceof ArrayBuffer) return orDetached(() => new Uint8Array(chunk));
  throw new ConecError("invalid-argument", `A message must be a Uint8Array, not ${describe(chunk)}`, {
    source: "stream",
  });
}

function viewOf(chunk: ArrayBufferView): Uint8Array {
  if (chunk.byteLength === 0 && !(chunk instanceof DataView)) (chunk as Uint8Array).set(nothing);
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/**
 * The platform's call that throws for a detached buffer, and for a view that its shrunk buffer no longer holds. The length
 * does not say it: in code that has seen a buffer that can be resized, V8 of Node 20 may give that of before.
 */
function orDetached<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new ConecError("invalid-argument", "The buffer of this message was detached or made smaller", {
      source: "stream",
      cause,
    });
  }
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value;
}

const nothing: number[] = [];

/** How many bytes a chunk has that somebody wrote; 0 if it is no chunk of bytes. */
export function sizeOf(chunk: unknown): number {
  try {
    return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer ? chunk.byteLength : 0;
  } catch {
    return 0; // a detached DataView, which toBytes refuses
  }
}
