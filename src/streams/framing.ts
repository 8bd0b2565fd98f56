// SPDX-License-Identifier: Apache-2.0
/**
 * The framing of message streams: a varint h, then
 * - h = 0: the end of the stream; nothing follows;
 * - h = 2^62 − 1: the writer aborted the stream here; nothing follows;
 * - any other h: a message of h − 1 bytes.
 *
 * Pure codec: bytes in, messages out. See docs/protocol.md.
 */
import { ConecError } from "../core/errors.ts";
import { MessageAssembler } from "./message-assembler.ts";
import { readVarint, varintLength, varintLengthFrom, writeVarint } from "./varint.ts";

/** Ends a stream; sent together with the transport's own end (FIN). */
export const endMarker = Uint8Array.of(0);

/** Says that the writer aborted the stream at this message boundary; the reason travels as a control message. */
export const abortMarker = new Uint8Array(8).fill(0xff);

/** Longest header of a message, in bytes. */
export const maxHeaderBytes = 8;

/** How many bytes the header of a message of `messageBytes` takes. */
export function headerLength(messageBytes: number): number {
  return varintLength(messageBytes + 1);
}

/** Writes the header of a message of `messageBytes` at `offset`, returns the offset behind it. */
export function writeHeader(target: Uint8Array, offset: number, messageBytes: number): number {
  return writeVarint(target, offset, messageBytes + 1);
}

/** What a decoder has seen so far. */
export type FrameState = "open" | "ended" | "aborted";

/** Takes a message stream apart, whatever the chunks it comes in. */
export class FrameDecoder {
  readonly #maxMessageBytes: number;
  readonly #header = new Uint8Array(maxHeaderBytes);
  #headerBytes = 0;
  #body: MessageAssembler | undefined;
  #state: FrameState = "open";
  /** Set when a message is a view of the chunk that it came in. */
  sharesMemory = false;

  /** Messages longer than `maxMessageBytes` are refused before any of their bytes are kept. */
  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  get state(): FrameState {
    return this.#state;
  }

  /** Bytes of an unfinished message that are held. */
  get heldBytes(): number {
    return this.#headerBytes + (this.#body?.heldBytes ?? 0);
  }

  /**
   * Decodes the next chunk and appends every message that is now whole to `messages`. Messages that lie within the
   * chunk are views of it, others are copied together; none is kept here.
   *
   * @param maxMessages stops after this many, since each costs more memory than its bytes
   * @returns how many bytes of the chunk were decoded; less than all only after `maxMessages`. What stands behind the
   * end is passed over.
   * @throws ConecError `message-too-large`; the messages before the fault have been appended.
   */
  decode(chunk: Uint8Array, messages: Uint8Array[], maxMessages = Infinity): number {
    const enough = messages.length + maxMessages;
    let offset = 0;
    while (offset < chunk.length && messages.length < enough) {
      if (this.#state !== "open") return chunk.length;
      offset =
        this.#body === undefined
          ? this.#decodeHeader(chunk, offset, messages)
          : this.#decodeBody(chunk, offset, messages);
    }
    return offset;
  }

  /** Says that no more bytes come. @throws ConecError `truncated` when the stream was not ended by a marker. */
  finish(): void {
    if (this.#state === "open") {
      const where = this.#headerBytes > 0 || this.#body !== undefined ? "inside a message" : "without its end marker";
      throw streamError("truncated", `The stream ended ${where}`);
    }
  }

  #decodeHeader(chunk: Uint8Array, start: number, messages: Uint8Array[]): number {
    let offset = start;
    let h: number;
    if (this.#headerBytes === 0 && offset + varintLengthFrom(chunk[offset]!) <= chunk.length) {
      h = this.#readHeader(chunk, offset);
      offset += varintLengthFrom(chunk[offset]!);
    } else {
      const length = varintLengthFrom(this.#headerBytes === 0 ? chunk[offset]! : this.#header[0]!);
      const taken = chunk.subarray(offset, offset + length - this.#headerBytes);
      this.#header.set(taken, this.#headerBytes);
      this.#headerBytes += taken.length;
      offset += taken.length;
      if (this.#headerBytes < length) return offset;
      this.#headerBytes = 0;
      h = this.#readHeader(this.#header, 0);
    }
    if (this.#state !== "open") return offset;
    const length = h - 1;
    if (length > this.#maxMessageBytes) {
      throw streamError(
        "message-too-large",
        `A message of ${length} bytes is over the limit of ${this.#maxMessageBytes}`,
      );
    }
    if (offset + length <= chunk.length) {
      messages.push(new Uint8Array(chunk.buffer, chunk.byteOffset + offset, length));
      this.sharesMemory = true;
      return offset + length;
    }
    this.#body = new MessageAssembler(length);
    return offset;
  }

  /** Reads h and notices the two markers. */
  #readHeader(bytes: Uint8Array, offset: number): number {
    const h = readVarint(bytes, offset);
    if (h === 0) this.#state = "ended";
    else if (h === Infinity && isAbortMarker(bytes, offset)) this.#state = "aborted";
    return h;
  }

  #decodeBody(chunk: Uint8Array, offset: number, messages: Uint8Array[]): number {
    const body = this.#body!;
    const end = Math.min(chunk.length, offset + body.missingBytes);
    body.add(new Uint8Array(chunk.buffer, chunk.byteOffset + offset, end - offset));
    if (body.missingBytes === 0) {
      messages.push(body.assemble());
      this.#body = undefined;
    }
    return end;
  }
}

function isAbortMarker(bytes: Uint8Array, offset: number): boolean {
  return abortMarker.every((byte, index) => bytes[offset + index] === byte);
}

function streamError(code: "truncated" | "message-too-large", message: string): ConecError {
  return new ConecError(code, message, { source: "stream", remote: true });
}
