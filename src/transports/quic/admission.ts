import { TokenBucket } from "./token-bucket.ts";

/** What a listener spends on connections that have not proven anything yet. */
export interface AdmissionLimits {
  /** Handshakes under way; more are not answered. */
  maxHalfOpen: number;
  /** With more handshakes under way, a client must first show that its address is its own (Retry). */
  retryAboveHalfOpen: number;
  /** New handshakes, in all; `handshakeBurst` of them at once. */
  handshakesPerSecond: number;
  handshakeBurst: number;
  /** From one IPv4 /24 or IPv6 /64; beyond it, a client must first show that its address is its own (Retry). */
  handshakesPerSecondPerSource: number;
  handshakeBurstPerSource: number;
}

export const defaultAdmissionLimits: AdmissionLimits = {
  maxHalfOpen: 512,
  retryAboveHalfOpen: 64,
  handshakesPerSecond: 200,
  handshakeBurst: 1024,
  handshakesPerSecondPerSource: 10,
  handshakeBurstPerSource: 64,
};

const maxSources = 4096;

/** Decides what becomes of a client's first packet. Knows no clock and sends nothing. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #all: TokenBucket;
  /** By source, least recently seen first. */
  readonly #sources = new Map<string, TokenBucket>();
  #halfOpen = 0;

  constructor(limits: AdmissionLimits, nowMs: number) {
    this.#limits = limits;
    this.#all = new TokenBucket({ perSecond: limits.handshakesPerSecond, burst: limits.handshakeBurst, nowMs });
  }

  get halfOpen(): number {
    return this.#halfOpen;
  }

  /** `proven`: the packet carries a valid Retry token. */
  decide(source: string, proven: boolean, nowMs: number): "accept" | "retry" | "drop" {
    if (!proven) {
      if (this.#halfOpen >= this.#limits.retryAboveHalfOpen) return "retry";
      if (!this.#bucketOf(source, nowMs).take(nowMs)) return "retry";
    }
    if (this.#halfOpen >= this.#limits.maxHalfOpen) return "drop";
    return this.#all.take(nowMs) ? "accept" : "drop";
  }

  /** A handshake begins. */
  begin(): void {
    this.#halfOpen += 1;
  }

  /** A handshake is complete or was given up. */
  end(): void {
    this.#halfOpen -= 1;
  }

  #bucketOf(source: string, nowMs: number): TokenBucket {
    const { handshakesPerSecondPerSource: perSecond, handshakeBurstPerSource: burst } = this.#limits;
    const bucket = this.#sources.get(source) ?? new TokenBucket({ perSecond, burst, nowMs });
    this.#sources.delete(source);
    this.#sources.set(source, bucket);
    if (this.#sources.size > maxSources) this.#sources.delete(this.#sources.keys().next().value as string);
    return bucket;
  }
}
