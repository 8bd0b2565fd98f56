// SPDX-License-Identifier: Apache-2.0
import { varintLength, writeVarint } from "../../../streams/varint.ts";
import { streamBits } from "./frames.ts";

/** Largest record that is sent, whatever the other end would take. */
export const maxRecordBytes = 65_536;

/**
 * Puts frames into a record. There is one buffer for all connections, since a record is filled and sent in one go:
 * {@link content} is to be sent or copied before the next record is begun.
 */
export class RecordWriter {
  #end = 0;
  readonly #limit: number;

  /** @param peerLimit what the other end takes */
  constructor(peerLimit: number) {
    this.#limit = Math.min(peerLimit, maxRecordBytes);
  }

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  get content(): Uint8Array {
    return buffer.subarray(0, this.#end);
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.#limit - this.#end;
  }

  /** Adds a frame as it is. False if there is no room for it. */
  add(frame: Uint8Array): boolean {
    if (!this.hasRoom(frame.length)) return false;
    buffer.set(frame, this.#end);
    this.#end += frame.length;
    return true;
  }

  /** How many bytes of this stream there is room for; negative if not even for a frame without any. */
  roomForStream(id: number, offset: number): number {
    return this.#limit - this.#end - (1 + varintLength(id) + varintLength(offset) + maxLengthBytes);
  }

  /** Adds bytes of a stream, for which there is room. */
  addStream(id: number, offset: number, parts: readonly Uint8Array[], fin: boolean): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const type =
      streamBits.type | streamBits.length | (offset > 0 ? streamBits.offset : 0) | (fin ? streamBits.fin : 0);
    let end = writeVarint(buffer, this.#end, type);
    end = writeVarint(buffer, end, id);
    if (offset > 0) end = writeVarint(buffer, end, offset);
    end = writeVarint(buffer, end, length);
    for (const part of parts) {
      buffer.set(part, end);
      end += part.length;
    }
    this.#end = end;
  }
}

/** What a length in a record takes at most, as a varint. */
const maxLengthBytes = 4;
const buffer = new Uint8Array(maxRecordBytes);
