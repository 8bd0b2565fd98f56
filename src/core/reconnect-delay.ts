// SPDX-License-Identifier: Apache-2.0
/** How often a Client that lost its connection tries to connect again. Each pause is a random part of the longest. */
export interface ReconnectOptions {
  /** Longest pause before the first attempt, in milliseconds; it doubles with each attempt that fails. Default 250. */
  firstDelayMs?: number;
  /** Longest pause between two attempts, in milliseconds. Default 30 000. */
  maxDelayMs?: number;
}

/**
 * How long to wait before each attempt to connect again: any time up to a limit that doubles, so that those who lost the
 * same Coordinator at the same moment do not come back at the same moment. Knows no clock.
 */
export class ReconnectDelay {
  readonly #firstDelayMs: number;
  readonly #maxDelayMs: number;
  #attempts = 0;

  constructor({ firstDelayMs = 250, maxDelayMs = 30_000 }: ReconnectOptions = {}) {
    this.#firstDelayMs = firstDelayMs;
    this.#maxDelayMs = maxDelayMs;
  }

  /** @param random from 0 to 1 */
  nextMs(random: number): number {
    const limitMs = Math.min(this.#maxDelayMs, this.#firstDelayMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return random * limitMs;
  }
}
