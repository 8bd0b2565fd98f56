// SPDX-License-Identifier: Apache-2.0
/** Things that come one after the other, for somebody who waits for them. */
export class Mailbox<T> {
  readonly #waiting: T[] = [];
  #taker: { resolve: (item: T) => void; reject: (error: unknown) => void } | undefined;
  #failure: { error: unknown } | undefined;

  get size(): number {
    return this.#waiting.length;
  }

  put(item: T): void {
    if (this.#taker === undefined) this.#waiting.push(item);
    else this.#taker.resolve(item);
    this.#taker = undefined;
  }

  /** Nothing more comes: whoever waits, now or later, gets the error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#taker?.reject(error);
    this.#taker = undefined;
  }

  /** Takes all that waits. */
  drain(): T[] {
    return this.#waiting.splice(0);
  }

  /** The next thing; only one may wait. */
  take(): Promise<T> {
    const [item] = this.#waiting.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => (this.#taker = { resolve, reject }));
  }
}
