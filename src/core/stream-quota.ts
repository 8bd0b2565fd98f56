// SPDX-License-Identifier: Apache-2.0
/** How many data streams may be open on several channels together: those of one Client. */
export class StreamQuota {
  readonly #limit: number;
  /** Called when there is room again. */
  readonly waiters = new Set<() => void>();
  #open = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether another may be opened. */
  get hasRoom(): boolean {
    return this.#open < this.#limit;
  }

  opened(): void {
    this.#open += 1;
  }

  over(): void {
    this.#open -= 1;
    for (const wake of this.waiters) wake();
  }
}
