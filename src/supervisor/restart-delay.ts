// SPDX-License-Identifier: Apache-2.0
/** How a process is restarted that does not stay up: at once, then with growing pauses until it has lived for a while. */
export class RestartDelay {
  #failures = 0;

  /**
   * @param livedMs how long the process ran
   * @param random from 0 to 1
   * @returns milliseconds to wait before the next start
   */
  next(livedMs: number, random: number): number {
    this.#failures = livedMs >= settledMs ? 0 : this.#failures + 1;
    if (this.#failures <= 1) return 0;
    return random * Math.min(maxDelayMs, firstDelayMs * 2 ** (this.#failures - 2));
  }
}

/** A process that lived this long was well. */
const settledMs = 10_000;
const firstDelayMs = 500;
const maxDelayMs = 30_000;
