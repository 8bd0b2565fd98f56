// SPDX-License-Identifier: Apache-2.0
/** How a channel of a Client ended. */
export interface EndedChannel {
  /** The Client itself closed it. */
  closedByIt: boolean;
  /** Either end opened a data stream on it. */
  used: boolean;
  /** For how long the Client had it. */
  livedMs: number;
}

/**
 * Notices a Client that takes channels only to close them again at once, unused, over and over: each costs the Coordinator an
 * offer to two parties. A Client cannot open channels by itself, so it must have talked the application into that, and one
 * that is offered what it does not want refuses it. Channels that were used do not count, however short they live: one for
 * each request is a fine way to work. Knows no clock.
 */
export class ChannelChurn {
  readonly #channels: number;
  /** The last channels, oldest first: when each ended, and whether it was in vain. */
  readonly #ended: { atMs: number; inVain: boolean }[] = [];
  #inVain = 0;

  /** @param channels how many channels are looked at */
  constructor(channels: number) {
    this.#channels = channels;
  }

  /** A channel ended. True if that is too much: over half of the last channels were in vain, all within a minute. */
  ended({ closedByIt, used, livedMs }: EndedChannel, nowMs: number): boolean {
    const inVain = closedByIt && !used && livedMs < shortMs;
    this.#ended.push({ atMs: nowMs, inVain });
    if (inVain) this.#inVain += 1;
    if (this.#ended.length > this.#channels && this.#ended.shift()!.inVain) this.#inVain -= 1;
    const oldest = this.#ended[0]!;
    return this.#ended.length === this.#channels && this.#inVain > this.#channels / 2 && nowMs - oldest.atMs < withinMs;
  }
}

const shortMs = 1000;
const withinMs = 60_000;
