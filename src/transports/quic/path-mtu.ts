// SPDX-License-Identifier: Apache-2.0
import { minDatagramBytes } from "./config.ts";

export interface PathProbe {
  /** UDP payload to send. */
  readonly bytes: number;
  readonly nonce: string;
}

export interface PathMtuOptions {
  /** Datagram sizes to try, above {@link minDatagramBytes}. */
  candidates: readonly number[];
  /** Makes the nonce of a probe; one that nobody can guess. */
  createNonce: () => string;
}

/** A thousand clients that connect at once and have little to say should not all send probes. */
const fullDatagramsBeforeSearch = 8;
const triesPerSearch = 3;
const minProbeTimeoutMs = 100;
const firstSearchAgainMs = 30_000;
const maxSearchAgainMs = 600_000;

/**
 * Finds out how large the datagrams of one path may be: starts at 1200 bytes and only goes up to what the other end
 * has echoed. When the path begins to swallow that size, it falls back to 1200 and tries again later, ever more rarely.
 *
 * Knows no clock and sends nothing: the owner passes in the time, sends what {@link poll} returns and hands in echoes.
 */
export class PathMtu {
  readonly #candidates: readonly number[];
  readonly #createNonce: () => string;
  readonly #outstanding = new Map<string, number>();
  #bytes = minDatagramBytes;
  #state: "waiting" | "searching" | "settled" | "verifying" = "waiting";
  #fullDatagrams = 0;
  #triesLeft = 0;
  #deadlineMs: number | undefined;
  #searchAgainMs = firstSearchAgainMs;

  constructor({ candidates, createNonce }: PathMtuOptions) {
    this.#candidates = candidates.filter((bytes) => bytes > minDatagramBytes);
    this.#createNonce = createNonce;
  }

  /** The largest datagram that may be sent now. */
  get datagramBytes(): number {
    return this.#bytes;
  }

  /** When {@link poll} wants to be called next. */
  get deadlineMs(): number | undefined {
    return this.#deadlineMs;
  }

  /** A datagram of the size in use was filled. Only who sends many of them looks for a larger size. */
  onFullDatagram(nowMs: number): void {
    if (this.#state !== "waiting" || this.#candidates.length === 0) return;
    this.#fullDatagrams += 1;
    if (this.#fullDatagrams === fullDatagramsBeforeSearch) this.#enter("searching", nowMs);
  }

  /** The engine's loss timer ran out. If large datagrams are in use, they may be why. */
  onLossTimeout(nowMs: number): void {
    if (this.#state === "settled" && this.#bytes > minDatagramBytes) this.#enter("verifying", nowMs);
  }

  onEcho(nonce: string, nowMs: number): void {
    const bytes = this.#outstanding.get(nonce);
    if (bytes === undefined) return;
    this.#outstanding.delete(nonce);
    this.#bytes = Math.max(this.#bytes, bytes);
    if (this.#state === "verifying" || this.#larger().length === 0) this.#settle(nowMs);
  }

  /** The path is another one now, and nothing is known about it. */
  restart(): void {
    this.#outstanding.clear();
    this.#bytes = minDatagramBytes;
    this.#state = "waiting";
    this.#fullDatagrams = 0;
    this.#deadlineMs = undefined;
  }

  /** What to send now. */
  poll(nowMs: number, rttMs: number): PathProbe[] {
    if (this.#deadlineMs === undefined || nowMs < this.#deadlineMs) return [];
    if (this.#state === "settled") this.#enter("searching", nowMs);
    if (this.#triesLeft === 0) {
      if (this.#state === "verifying") this.#bytes = minDatagramBytes;
      this.#settle(nowMs);
      return [];
    }
    this.#triesLeft -= 1;
    this.#deadlineMs = nowMs + Math.max(minProbeTimeoutMs, 3 * rttMs);
    return this.#sizesToProbe().map((bytes) => {
      const nonce = this.#createNonce();
      this.#outstanding.set(nonce, bytes);
      return { bytes, nonce };
    });
  }

  /** In a search the largest alone comes first, because it is most likely the one. */
  #sizesToProbe(): number[] {
    if (this.#state === "verifying") return [this.#bytes];
    const larger = this.#larger();
    return this.#triesLeft === triesPerSearch - 1 ? larger.slice(-1) : larger;
  }

  #enter(state: "searching" | "verifying", nowMs: number): void {
    this.#outstanding.clear();
    this.#state = state;
    this.#triesLeft = triesPerSearch;
    this.#deadlineMs = nowMs;
  }

  #settle(nowMs: number): void {
    this.#outstanding.clear();
    this.#state = "settled";
    if (this.#larger().length === 0) {
      this.#deadlineMs = undefined;
      return;
    }
    this.#deadlineMs = nowMs + this.#searchAgainMs;
    this.#searchAgainMs = Math.min(this.#searchAgainMs * 2, maxSearchAgainMs);
  }

  #larger(): number[] {
    return this.#candidates.filter((bytes) => bytes > this.#bytes);
  }
}
