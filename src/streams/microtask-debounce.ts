// SPDX-License-Identifier: Apache-2.0
/**
 * Runs a task once the current turn of the event loop has gone quiet: when nobody has called {@link touch} for a few
 * rounds of the microtask queue. This is what lets many small messages, each written after an `await` of the one before,
 * leave together, at no cost in latency that a clock could see. It needs nothing of the platform but promises.
 */
export class MicrotaskDebounce {
  readonly #task: () => void;
  #scheduled = false;
  #quietRounds = 0;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Schedules the task, or puts it off if it is scheduled already. */
  touch(): void {
    this.#quietRounds = 0;
    if (this.#scheduled) return;
    this.#scheduled = true;
    void settled.then(this.#round);
  }

  readonly #round = (): void => {
    this.#quietRounds += 1;
    if (this.#quietRounds <= quietRounds) {
      void settled.then(this.#round);
      return;
    }
    this.#scheduled = false;
    this.#task();
  };
}

/** Cheaper than `queueMicrotask`, which in Node keeps an AsyncResource for each call. */
const settled = Promise.resolve();

/** A write that follows an awaited write comes within about five rounds, one that comes through a pipe within eight. */
const quietRounds = 8;
