// SPDX-License-Identifier: Apache-2.0
/** How long nothing may be heard while something is in flight: this, or two round trips, but no more than the second. */
const leastMs = 250;
const mostMs = 1000;
const roundTrips = 2;
/** Each time without an answer it is twice as long, and after so many the engine's own probes have to do. */
const mostProbes = 3;

/** So many packets are asked for at once: what came before them and is not acknowledged with the last is lost (RFC 9002, section 6.1.1). */
export const tailProbePackets = 4;

/**
 * Decides when to ask for acknowledgements because the last of what was sent may be lost, which nothing behind it can show. The
 * engine does it as well (RFC 9002, section 6.2), but by a round-trip time that can be far off: it does not count what is
 * acknowledged before the time for which it had scheduled it, so after losses in the handshake it may wait for seconds on a path
 * of 40 ms. Knows no clock and sends nothing.
 */
export class TailProbe {
  #dueMs = Infinity;
  #sinceMs = -Infinity;
  #asked = 0;

  get dueMs(): number {
    return this.#dueMs;
  }

  /** Packets were sent. */
  sent(nowMs: number): void {
    if (this.#dueMs === Infinity && this.#asked === 0) this.#wait(nowMs);
  }

  /** Something came in. */
  heard(nowMs: number): void {
    if (this.#dueMs === Infinity && this.#asked === 0) return;
    this.#asked = 0;
    this.#wait(nowMs);
  }

  /**
   * The time has come. True when the other end is to be asked.
   *
   * @param rttMs of the engine; undefined if nothing is in flight
   */
  isToAsk(rttMs: number | undefined, nowMs: number): boolean {
    if (rttMs === undefined) {
      this.#dueMs = Infinity;
      this.#asked = 0;
      return false;
    }
    const patienceMs = Math.min(mostMs, Math.max(leastMs, roundTrips * rttMs)) * 2 ** this.#asked;
    this.#dueMs = this.#sinceMs + patienceMs;
    if (nowMs < this.#dueMs) return false;
    this.#asked += 1;
    this.#sinceMs = nowMs;
    this.#dueMs = this.#asked === mostProbes ? Infinity : nowMs + 2 * patienceMs;
    return true;
  }

  #wait(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#dueMs = nowMs + leastMs;
  }
}
