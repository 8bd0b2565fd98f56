// SPDX-License-Identifier: Apache-2.0
import { readVarint, varintLengthFrom } from "./varint.ts";

/** Framed messages as they go to the transport, in one piece. */
export interface SentChunk {
  readonly bytes: Uint8Array;
  /** How many messages it holds. */
  readonly messages: number;
  /** Whether the end of the stream stands behind them. */
  readonly ends: boolean;
}

/**
 * How much is kept of what was sent: of one stream, which waits when it has so much, and of all that share this: beyond that
 * the oldest of a stream is forgotten.
 */
export class Retention {
  readonly bytesPerStream: number;
  readonly bytes: number;
  kept = 0;

  constructor(bytesPerStream: number, bytes: number) {
    this.bytesPerStream = bytesPerStream;
    this.bytes = bytes;
  }
}

/**
 * What was sent on a stream and not confirmed by the other end: it is sent again from there, should the connection be
 * lost on the way. Once something had to be forgotten, the stream cannot be resumed until the other end has confirmed that.
 */
export class SentMessages<Chunk extends SentChunk = SentChunk> {
  readonly #retention: Retention;
  /** Called when a chunk is not needed here any more. */
  readonly #onDropped: (chunk: Chunk) => void;
  /** From #head on. */
  #chunks: Chunk[] = [];
  #head = 0;
  /** The number of the first message that is kept, counted from 0. */
  #first = 0;
  #next = 0;
  #confirmed = 0;
  #bytes = 0;

  constructor(retention: Retention, onDropped: (chunk: Chunk) => void) {
    this.#retention = retention;
    this.#onDropped = onDropped;
  }

  /** How many messages were sent. */
  get count(): number {
    return this.#next;
  }

  /** How many of them the other end is known to have received. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Whether the next message had better wait until some are confirmed. */
  get isFull(): boolean {
    return this.#bytes > 0 && this.#bytes >= this.#retention.bytesPerStream;
  }

  append(chunk: Chunk): void {
    this.#next += chunk.messages;
    this.#bytes += chunk.bytes.length;
    this.#retention.kept += chunk.bytes.length;
    this.#chunks.push(chunk);
    while (this.#bytes > 0 && this.#retention.kept > this.#retention.bytes) this.#drop();
  }

  /** The other end has so many messages. False if that cannot be. */
  confirm(count: number): boolean {
    if (count > this.#next) return false;
    this.#confirmed = Math.max(this.#confirmed, count);
    for (;;) {
      const chunk = this.#chunks[this.#head];
      if (chunk === undefined || chunk.ends || this.#first + chunk.messages > this.#confirmed) return true;
      this.#drop();
    }
  }

  /** All that follows the first `count` messages, with where in the first chunk it begins; undefined if forgotten. */
  from(count: number): { chunks: Chunk[]; skippedBytes: number } | undefined {
    if (count < this.#first || count > this.#next) return undefined;
    let index = this.#head;
    let first = this.#first;
    for (; index < this.#chunks.length; index += 1) {
      const { messages, ends } = this.#chunks[index]!;
      if (first + messages > count || ends) break;
      first += messages;
    }
    const chunks = this.#chunks.slice(index);
    return { chunks, skippedBytes: chunks.length === 0 ? 0 : frameOffset(chunks[0]!.bytes, count - first) };
  }

  /** Forgets everything. */
  clear(): void {
    while (this.#head < this.#chunks.length) this.#drop();
  }

  #drop(): void {
    const chunk = this.#chunks[this.#head]!;
    this.#head += 1;
    this.#first += chunk.messages;
    this.#bytes -= chunk.bytes.length;
    this.#retention.kept -= chunk.bytes.length;
    if (this.#head === this.#chunks.length || this.#head >= maxDroppedChunks) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
    this.#onDropped(chunk);
  }
}

/** Where the frame stands that has so many before it. */
function frameOffset(bytes: Uint8Array, frames: number): number {
  let offset = 0;
  for (let i = 0; i < frames; i += 1) {
    const h = readVarint(bytes, offset);
    offset += varintLengthFrom(bytes[offset]!) + h - 1;
  }
  return offset;
}

/** So many dropped chunks are kept in the array before it is cut. */
const maxDroppedChunks = 256;
