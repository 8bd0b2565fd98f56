// SPDX-License-Identifier: Apache-2.0
import type { ByteReader, ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/** A byte stream to read: what was read of it already, and the reader that the rest comes from. */
export interface ByteSource {
  readonly head: Uint8Array;
  readonly reader: ByteReader;
}

/** Writes the first bytes of a stream. */
export function writeHead(writer: ByteWriter, ...head: Uint8Array[]): ByteWriter {
  for (const chunk of head) if (chunk.length > 0) writer.write(chunk).catch(ignore); // whoever goes on meets the same error
  return writer;
}
