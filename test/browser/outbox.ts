/** Gathers what is given to it in one turn, and hands it on together before the next. */
export class Outbox<T> {
  readonly #send: (all: T[]) => void;
  #waiting: T[] = [];

  constructor(send: (all: T[]) => void) {
    this.#send = send;
  }

  push(one: T): void {
    this.#waiting.push(one);
    if (this.#waiting.length === 1) queueMicrotask(() => this.#send(this.#waiting.splice(0)));
  }
}
