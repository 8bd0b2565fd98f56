// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import type { ByteReader } from "./transport.ts";
import { readVarint, varintLengthFrom } from "../streams/varint.ts";

/** What stands at the head of the transport stream that carries a data stream (docs/protocol.md). */
export interface DataHeader {
  channel: number;
  stream: number;
  /** How often the channel had been resumed when this transport stream was opened. */
  epoch: number;
  /** Bytes behind the header that came with it. */
  rest: Uint8Array;
}

/**
 * Reads the header of a data stream: three varints, the channel's id, the stream's, and the epoch.
 *
 * @param head bytes that were read already
 * @throws ConecError `truncated` when the stream ends first, `protocol-error` for an id that cannot be
 */
export async function readDataHeader(reader: ByteReader, head: Uint8Array): Promise<DataHeader> {
  let bytes = head;
  for (;;) {
    const header = parseDataHeader(bytes);
    if (header !== undefined) return header;
    const { value, done } = await reader.read();
    if (done)
      throw new ConecError("truncated", "The stream ended inside its header", { source: "stream", remote: true });
    bytes = bytes.length === 0 ? value : concat(bytes, value);
  }
}

/** The header at the start of `bytes`, or undefined while it is not whole. */
export function parseDataHeader(bytes: Uint8Array): DataHeader | undefined {
  const values: number[] = [];
  let offset = 0;
  while (values.length < 3) {
    if (offset === bytes.length) return undefined;
    const end = offset + varintLengthFrom(bytes[offset]!);
    if (end > bytes.length) return undefined;
    values.push(readVarint(bytes, offset));
    offset = end;
  }
  const [channel, stream, epoch] = values as [number, number, number];
  if (values.includes(Infinity)) {
    throw new ConecError("protocol-error", "A data stream's header holds a number that cannot be", {
      source: "connection",
      remote: true,
    });
  }
  return { channel, stream, epoch, rest: bytes.subarray(offset) };
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
