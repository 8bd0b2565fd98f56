export interface ReceiveBudgetLimits {
  /** What the receiving streams that are open may hold unread, each. */
  streamWindowBytes: number;
  /** What all of them may hold. */
  unreadBytes: number;
}

const packetOverheadBytes = 64;
const freeBytes = 1024 * 1024;
const freeShare = 0.15;

/**
 * Counts what a peer makes the engine keep. The engine bounds stream data, but not what other frames make it store
 * (sparse CRYPTO frames, CVE-2024-1765; path challenges; connection ids), so bytes that came in and were neither
 * handed to a reader nor may wait in an open stream are held against the peer. Honest traffic stays below a fifth of
 * the bound, with 20 % loss as well.
 */
export class ReceiveBudget {
  readonly #limits: ReceiveBudgetLimits;
  #unaccounted = 0;
  #delivered = 0;

  constructor(limits: ReceiveBudgetLimits) {
    this.#limits = limits;
  }

  received(bytes: number): void {
    this.#unaccounted += bytes - packetOverheadBytes;
  }

  delivered(bytes: number): void {
    this.#unaccounted -= bytes;
    this.#delivered += bytes;
  }

  isExceeded(openStreams: number): boolean {
    if (this.#unaccounted <= freeBytes) return false;
    const { streamWindowBytes, unreadBytes } = this.#limits;
    const unread = Math.min(openStreams * streamWindowBytes, unreadBytes);
    return this.#unaccounted > freeBytes + freeShare * this.#delivered + unread;
  }
}
