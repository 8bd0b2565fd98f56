// SPDX-License-Identifier: Apache-2.0
/** So many aborted streams in so long, if they are more than half of those that ended. */
const mostAborted = 500;
const periodMs = 1000;

/**
 * Tells whether a peer opens streams to abort them, which costs this end more than it costs the peer. Opening and finishing
 * streams is not limited: thousands a second are normal use. Knows no clock.
 */
export class AbortRate {
  #sinceMs = -Infinity;
  #ended = 0;
  #aborted = 0;

  /** A stream of the peer's has ended. True when it was one too many. */
  ended(isAborted: boolean, nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= periodMs) {
      this.#sinceMs = nowMs;
      this.#ended = 0;
      this.#aborted = 0;
    }
    this.#ended += 1;
    if (isAborted) this.#aborted += 1;
    return this.#aborted > mostAborted && 2 * this.#aborted > this.#ended;
  }
}
