// SPDX-License-Identifier: Apache-2.0
/**
 * Decides when the other end is to be asked for a sign of life: when nothing of it was heard for about the interval, and again
 * soon while it does not answer. Else a silence of the path could outlast the idle timeout although it does not: what the
 * engine sends again by itself comes ever more rarely (RFC 9002, section 6.2.1). Knows no clock and sends nothing.
 */
export class KeepAlive {
  #intervalMs: number;
  readonly #random: () => number;
  #dueMs = Infinity;
  #heardMs = -Infinity;
  #packets = 0;

  /** `random`: from 0 to 1. */
  constructor(intervalMs: number, random: () => number = Math.random) {
    this.#intervalMs = intervalMs;
    this.#random = random;
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  start(nowMs: number, intervalMs = this.#intervalMs): void {
    this.#intervalMs = intervalMs;
    this.#dueMs = this.#after(nowMs);
  }

  /** Something came in; it may be anybody's. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /**
   * The time has come. `packets`: how many the engine has taken so far as the other end's; others may send as much as
   * they like. True when the other end is to be asked.
   */
  isToAsk(packets: number, nowMs: number): boolean {
    const wasHeard = packets !== this.#packets;
    this.#packets = packets;
    if (!wasHeard) {
      this.#dueMs = this.#after(nowMs, unansweredShare * this.#intervalMs);
      return true;
    }
    this.#dueMs = this.#after(this.#heardMs);
    if (this.#dueMs > nowMs) return false;
    this.#dueMs = this.#after(nowMs);
    return true;
  }

  /** With jitter, so that the clients of a restarted server do not all speak at once. */
  #after(nowMs: number, intervalMs = this.#intervalMs): number {
    return nowMs + intervalMs * (0.8 + 0.4 * this.#random());
  }
}

/** Who does not answer is asked again after this share of the interval. */
const unansweredShare = 0.2;
