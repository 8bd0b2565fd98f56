// SPDX-License-Identifier: Apache-2.0
/**
 * Notices a Client that opens streams and aborts them at once, which costs it nothing and the others a stream each. Streams
 * that are opened and end in order are never too many. Knows no clock.
 */
export class RapidAborts {
  readonly #streamsPerSecond: number;
  #current: Second;
  /** Its streams may still be aborted. */
  #previous: Second;

  constructor(streamsPerSecond: number) {
    this.#streamsPerSecond = streamsPerSecond;
    this.#current = this.#previous = new Second(-Infinity);
  }

  /** It opens a stream. Stream ids of a channel rise. */
  opened(channel: number, stream: number, nowMs: number): void {
    if (nowMs - this.#current.startMs >= 1000) {
      this.#previous = this.#current;
      this.#current = new Second(nowMs);
    }
    this.#current.opened += 1;
    if (!this.#current.first.has(channel)) this.#current.first.set(channel, stream);
  }

  /**
   * It aborts a stream of its own. True if that is too much: of more than so many streams that it opened within a second, it
   * has aborted over half by now.
   */
  aborted(channel: number, stream: number): boolean {
    const second = [this.#current, this.#previous].find(({ first }) => stream >= (first.get(channel) ?? Infinity));
    if (second === undefined) return false;
    second.aborted += 1;
    return second.opened > this.#streamsPerSecond && second.aborted > second.opened / 2;
  }
}

/** The streams that were opened within a second. */
class Second {
  readonly startMs: number;
  opened = 0;
  aborted = 0;
  /** By channel, the first of them. */
  readonly first = new Map<number, number>();

  constructor(startMs: number) {
    this.startMs = startMs;
  }
}
