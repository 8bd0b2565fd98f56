// SPDX-License-Identifier: Apache-2.0
/** Whoever is sent this much in so short a time, or has such a window, is asked whether it receives what it acknowledges. */
const suspiciousBytes = 128 * 1024 * 1024;
const suspiciousMs = 2000;
const suspiciousWindowBytes = 64 * 1024 * 1024;

/** A packet that was not sent is reported as lost within about one round trip; nobody is accused before this many. */
const graceRoundTrips = 10;
const leastGraceMs = 1000;

/** So that nobody can tell which packet is missing by counting. */
const mostPacketsBefore = 64;

export interface PathFigures {
  sentBytes: number;
  /** Congestion window, in bytes. */
  cwnd: number;
  /** Packets that were lost so far. */
  lost: number;
  /** Milliseconds. */
  rtt: number;
}

/**
 * Finds out whether a peer acknowledges packets that it has not received, which makes this end send faster than any path
 * can carry (CVE-2025-4820). Figures alone do not tell: on a fast path without loss they look the same. So when they are
 * suspicious, one packet is built and not sent. From an honest peer the engine learns that it was lost, and sends it again; a
 * peer that acknowledges everything has acknowledged it too (RFC 9000, section 21.4).
 *
 * Knows no clock and sends nothing.
 */
export class FalseAcknowledgements {
  readonly #random: () => number;
  #packetsBefore = -1;
  #withheld: { lostBefore: number; untilMs: number } | undefined;
  #mark = { sentBytes: 0, atMs: -Infinity };

  /** `random`: from 0 to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** To be called from time to time. True when the peer was found out. */
  check(figures: PathFigures, nowMs: number): boolean {
    const isSuspicious = this.#isSuspicious(figures, nowMs);
    if (this.#withheld !== undefined) {
      if (figures.lost === this.#withheld.lostBefore) return nowMs >= this.#withheld.untilMs;
      this.#withheld = undefined;
    } else if (isSuspicious && this.#packetsBefore < 0) {
      this.#packetsBefore = Math.floor(this.#random() * mostPacketsBefore);
    }
    return false;
  }

  /** A packet that has to be acknowledged was built. True when it is to be thrown away, and {@link withheld} called. */
  isToWithhold(): boolean {
    if (this.#packetsBefore < 0) return false;
    this.#packetsBefore -= 1;
    return this.#packetsBefore < 0;
  }

  withheld({ lost, rtt }: PathFigures, nowMs: number): void {
    this.#withheld = { lostBefore: lost, untilMs: nowMs + Math.max(leastGraceMs, graceRoundTrips * rtt) };
  }

  #isSuspicious({ sentBytes, cwnd }: PathFigures, nowMs: number): boolean {
    if (sentBytes - this.#mark.sentBytes < suspiciousBytes) return cwnd > suspiciousWindowBytes;
    const isFast = nowMs - this.#mark.atMs < suspiciousMs;
    this.#mark = { sentBytes, atMs: nowMs };
    return isFast || cwnd > suspiciousWindowBytes;
  }
}
