// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";

import { ConecError } from "../../index.ts";
import type { ConecErrorCode } from "../../index.ts";

/** How long a command goes on trying once it has lost its Coordinator, or the party at the other end. */
export class Patience {
  readonly #limitMs: number;
  #sinceMs: number | undefined;
  #tries = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** It goes well again. */
  renew(): void {
    this.#sinceMs = undefined;
    this.#tries = 0;
  }

  /**
   * Waits a little, longer from time to time.
   *
   * @returns false when the time is over
   * @throws the signal's reason
   */
  async pause(signal: AbortSignal): Promise<boolean> {
    this.#sinceMs ??= performance.now();
    if (performance.now() - this.#sinceMs > this.#limitMs) return false;
    const delayMs = Math.min(maxPauseMs, firstPauseMs * 2 ** this.#tries);
    this.#tries += 1;
    // Several that have lost the same Coordinator should not all come back at once.
    await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => signal.throwIfAborted());
    return true;
  }
}

const firstPauseMs = 200;
const maxPauseMs = 3000;

/** Whether it may go well the next time, without anybody's doing. */
export function mayPass(thrown: unknown): thrown is ConecError {
  return thrown instanceof ConecError && passing.has(thrown.code);
}

const passing: ReadonlySet<ConecErrorCode> = new Set([
  "peer-lost",
  "connection-lost",
  "closed",
  "timeout",
  "unreachable",
  "truncated",
  "aborted",
  "cancelled",
]);
