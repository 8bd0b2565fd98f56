/**
 * Holds things until they are due and then hands them over, in the order of their times; those of the same time in the order
 * in which they came. Timers are as exact as Node's: up to about a millisecond late.
 *
 * @template T
 */
export class DeliveryQueue {
  #deliver;
  /** By time. Nearly everything that comes is the last one. @type {{ atMs: number, item: T }[]} */
  #waiting = [];
  #first = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #timerDueMs = Infinity;

  /** @param {(item: T) => void} deliver */
  constructor(deliver) {
    this.#deliver = deliver;
  }

  get size() {
    return this.#waiting.length - this.#first;
  }

  /**
   * @param {number} atMs By `performance.now()`. What is due already is handed over at once, if nothing waits before it.
   * @param {T} item
   */
  push(atMs, item) {
    if (atMs <= performance.now() && (this.size === 0 || this.#at(this.#first) > atMs)) return this.#deliver(item);
    let place = this.#waiting.length;
    while (place > this.#first && this.#at(place - 1) > atMs) place -= 1;
    if (place === this.#waiting.length) this.#waiting.push({ atMs, item });
    else this.#waiting.splice(place, 0, { atMs, item });
    this.#arm();
  }

  /** Forgets what waits. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
    this.#waiting = [];
    this.#first = 0;
  }

  #arm() {
    if (this.size === 0) return;
    const dueMs = this.#at(this.#first);
    if (dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, dueMs - performance.now()));
  }

  #onTimer() {
    this.#timerDueMs = Infinity;
    const nowMs = performance.now();
    while (this.size > 0 && this.#at(this.#first) <= nowMs) {
      const { item } = /** @type {{ item: T }} */ (this.#waiting[this.#first]);
      this.#first += 1;
      this.#deliver(item);
    }
    if (this.#first > 1024 || this.size === 0) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    this.#arm();
  }

  /** @param {number} place */
  #at(place) {
    return /** @type {{ atMs: number }} */ (this.#waiting[place]).atMs;
  }
}
