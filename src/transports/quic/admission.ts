// SPDX-License-Identifier: Apache-2.0
import { TokenBucket } from "../../core/token-bucket.ts";
import type { TokenBucketOptions } from "../../core/token-bucket.ts";

/** What a listener spends on connections that have not proven anything yet. */
export interface AdmissionLimits {
  /** Handshakes under way. A new one beyond it takes the place of another, of the source that has the most. */
  maxHalfOpen: number;
  /** With more handshakes under way, a client must first show that its address is its own (Retry). */
  retryAboveHalfOpen: number;
  /** New handshakes, in all; `handshakeBurst` of them at once. */
  handshakesPerSecond: number;
  handshakeBurst: number;
  /**
   * From one IPv4 /24 or IPv6 /64; beyond it, a client must first show that its address is its own (Retry). Who stays within
   * it is let in even while others use up `handshakesPerSecond`, up to a quarter beyond it.
   */
  handshakesPerSecondPerSource: number;
  handshakeBurstPerSource: number;
  /** A handshake that takes longer is given up. */
  handshakeTimeoutMs: number;
  /**
   * Bytes of a handshake that a client may send, with what it sends more than once (where it is asked
   * for a certificate, 32 KiB more); and all clients together: beyond it, the handshake that has sent most is given up. The
   * engine may keep 40 times as much.
   */
  maxHandshakeBytes: number;
  maxHandshakeBytesInAll: number;
}

export const defaultAdmissionLimits: AdmissionLimits = {
  maxHalfOpen: 512,
  retryAboveHalfOpen: 64,
  handshakesPerSecond: 200,
  handshakeBurst: 1024,
  handshakesPerSecondPerSource: 10,
  handshakeBurstPerSource: 64,
  handshakeTimeoutMs: 5000,
  maxHandshakeBytes: 12 * 1024,
  maxHandshakeBytesInAll: 4 * 1024 * 1024,
};

const maxSources = 4096;

/**
 * Answers that ask for a proof of the address, to one source and in all, for each new handshake that there may be: each costs
 * about 15 µs, and whoever floods is not worth more than 15 % of a core.
 */
const retriesPerSource = { perSecond: 5, burst: 2 };
const retriesInAll = { perSecond: 50, burst: 10 };

/** What sources that are in no hurry have beyond what is for all, as a share of that. */
const reserveShare = 0.25;

/**
 * Decides what becomes of a client's first packet, and who makes room for whom. Knows no clock and sends nothing.
 * `Attempt` stands for a handshake under way.
 */
export class Admission<Attempt> {
  readonly #limits: AdmissionLimits;
  readonly #all: TokenBucket;
  readonly #reserve: TokenBucket;
  /**
   * By source, least recently seen first. Those who have proven their address apart from those who have not: else
   * packets with a forged source would use up what is for its owner.
   */
  readonly #sources = { proven: new Map<string, TokenBucket>(), unproven: new Map<string, TokenBucket>() };
  readonly #retries: TokenBucket;
  /** By source, as {@link #sources}. */
  readonly #sourceRetries = new Map<string, TokenBucket>();
  /** By source, oldest first; with the bytes that each has sent. */
  readonly #attempts = new Map<string, Map<Attempt, number>>();
  #halfOpen = 0;
  #bytes = 0;

  constructor(limits: AdmissionLimits, nowMs: number) {
    this.#limits = limits;
    const { handshakesPerSecond: perSecond, handshakeBurst: burst } = limits;
    this.#all = new TokenBucket({ perSecond, burst, nowMs });
    this.#reserve = new TokenBucket({ perSecond: reserveShare * perSecond, burst: reserveShare * burst, nowMs });
    this.#retries = new TokenBucket(this.#retryRate(retriesInAll, nowMs));
  }

  get halfOpen(): number {
    return this.#halfOpen;
  }

  /** `proven`: the packet carries a valid Retry token. */
  decide(source: string, proven: boolean, nowMs: number): "accept" | "retry" | "drop" {
    const { retryAboveHalfOpen, maxHalfOpen } = this.#limits;
    if (!proven && this.#halfOpen >= retryAboveHalfOpen) return this.#retry(source, nowMs);
    const { handshakesPerSecondPerSource: perSecond, handshakeBurstPerSource: burst } = this.#limits;
    const sources = proven ? this.#sources.proven : this.#sources.unproven;
    const isInHurry = !bucketOf(source, sources, { perSecond, burst, nowMs }).take(nowMs);
    if (!proven && isInHurry) return this.#retry(source, nowMs);
    if (maxHalfOpen === 0) return "drop";
    if (this.#all.take(nowMs)) return "accept";
    return !isInHurry && this.#reserve.take(nowMs) ? "accept" : "drop";
  }

  /** A handshake begins. Returns the one that is to be given up for it, if there are too many. */
  begin(source: string, attempt: Attempt): Attempt | undefined {
    const evicted = this.#halfOpen >= this.#limits.maxHalfOpen ? this.#evict() : undefined;
    let attempts = this.#attempts.get(source);
    if (attempts === undefined) this.#attempts.set(source, (attempts = new Map()));
    attempts.set(attempt, 0);
    this.#halfOpen += 1;
    return evicted;
  }

  /** A handshake under way has sent something. Returns one that is to be given up, if all have sent too much. */
  received(source: string, attempt: Attempt, bytes: number): Attempt | undefined {
    const attempts = this.#attempts.get(source);
    const before = attempts?.get(attempt);
    if (attempts === undefined || before === undefined) return undefined;
    attempts.set(attempt, before + bytes);
    this.#bytes += bytes;
    return this.#bytes > this.#limits.maxHandshakeBytesInAll ? this.#evictLargest() : undefined;
  }

  /** A handshake is complete or was given up. */
  end(source: string, attempt: Attempt): void {
    const attempts = this.#attempts.get(source);
    const bytes = attempts?.get(attempt);
    if (attempts === undefined || bytes === undefined) return;
    attempts.delete(attempt);
    this.#bytes -= bytes;
    this.#halfOpen -= 1;
    if (attempts.size === 0) this.#attempts.delete(source);
  }

  /** The oldest of the source that has the most: a flood of one source crowds out itself. */
  #evict(): Attempt | undefined {
    let most: [string, Map<Attempt, number>] | undefined;
    for (const each of this.#attempts) if (most === undefined || each[1].size > most[1].size) most = each;
    if (most === undefined) return undefined;
    const [source, attempts] = most;
    const oldest = attempts.keys().next().value as Attempt;
    this.end(source, oldest);
    return oldest;
  }

  /** Of the source that has sent most, the handshake that has. */
  #evictLargest(): Attempt {
    let [most, largest] = [-1, undefined as [string, Attempt] | undefined];
    for (const [source, attempts] of this.#attempts) {
      let [sum, largestHere] = [0, -1];
      let attemptHere: Attempt;
      for (const [attempt, bytes] of attempts) {
        sum += bytes;
        if (bytes > largestHere) [largestHere, attemptHere] = [bytes, attempt];
      }
      if (sum > most) [most, largest] = [sum, [source, attemptHere!]];
    }
    const [source, attempt] = largest!;
    this.end(source, attempt);
    return attempt;
  }

  #retry(source: string, nowMs: number): "retry" | "drop" {
    const isMuch = !bucketOf(source, this.#sourceRetries, this.#retryRate(retriesPerSource, nowMs)).take(nowMs);
    return !isMuch && this.#retries.take(nowMs) ? "retry" : "drop";
  }

  #retryRate(share: typeof retriesInAll, nowMs: number): TokenBucketOptions {
    const { handshakesPerSecond, handshakeBurst } = this.#limits;
    return { perSecond: share.perSecond * handshakesPerSecond, burst: share.burst * handshakeBurst, nowMs };
  }
}

/** That of a source, which was seen last then. */
function bucketOf(source: string, buckets: Map<string, TokenBucket>, options: TokenBucketOptions): TokenBucket {
  const bucket = buckets.get(source) ?? new TokenBucket(options);
  buckets.delete(source);
  buckets.set(source, bucket);
  if (buckets.size > maxSources) buckets.delete(buckets.keys().next().value as string);
  return bucket;
}
