// SPDX-License-Identifier: Apache-2.0
import { QmuxError } from "./qmux-error.ts";

/** The lowest bits of a stream's id (RFC 9000, section 2.1). */
export const idBits = { byServer: 0x1, unidirectional: 0x2 } as const;

export type StreamKind = (typeof streamKinds)[number];
export const streamKinds = ["bidirectional", "unidirectional"] as const;

export function kindOf(id: number): StreamKind {
  return (id & idBits.unidirectional) === 0 ? "bidirectional" : "unidirectional";
}

/** Streams of one kind that the other end opens: which there were, and how many more there may be. */
export class PeerStreamIds {
  readonly #maxOpen: number;
  /** How many the other end was told that it may open, since the connection began. */
  #announced: number;
  #finished = 0;
  /** All below have been opened, those in `#unseen` only by the opening of a later one (RFC 9000, section 3.2). */
  #next = 0;
  readonly #unseen = new Set<number>();

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
    this.#announced = maxOpen;
  }

  /**
   * The stream with this number is heard of. True for the first time.
   *
   * @throws QmuxError STREAM_LIMIT_ERROR
   */
  see(index: number): boolean {
    if (index >= this.#announced) throw new QmuxError("STREAM_LIMIT_ERROR", "more streams than it may");
    if (index < this.#next) return this.#unseen.delete(index);
    for (; this.#next < index; this.#next += 1) this.#unseen.add(this.#next);
    this.#next += 1;
    return true;
  }

  /** A stream is over in both directions. */
  finish(): void {
    this.#finished += 1;
  }

  /** Whether it is time to allow more. */
  get isDue(): boolean {
    return this.#finished + this.#maxOpen - this.#announced >= this.#maxOpen / 8;
  }

  /** The number to tell the other end now, or undefined if it need not be told anything. */
  update(): number | undefined {
    if (this.#finished + this.#maxOpen === this.#announced || !this.isDue) return undefined;
    this.#announced = this.#finished + this.#maxOpen;
    return this.#announced;
  }
}

/** Streams of one kind that this end opens. */
export class OwnStreamIds {
  readonly #lowestBits: number;
  #next = 0;
  #limit = 0;

  constructor(lowestBits: number) {
    this.#lowestBits = lowestBits;
  }

  /** The other end allows so many, since the connection began. False if that is nothing new. */
  allow(limit: number): boolean {
    if (limit <= this.#limit) return false;
    this.#limit = limit;
    return true;
  }

  /** The id of one more stream, or undefined if the other end does not allow it yet. */
  take(): number | undefined {
    return this.#next < this.#limit ? 4 * this.#next++ + this.#lowestBits : undefined;
  }

  /** Whether the stream with this number was opened. */
  has(index: number): boolean {
    return index < this.#next;
  }
}
