// SPDX-License-Identifier: Apache-2.0
/** Where a transport puts what the other end opens: a ReadableStream that is pushed to. */
export class PushQueue<T> {
  readonly #refuse: (item: T) => void;
  /** Until somebody looks. */
  #waiting: T[] = [];
  #push = (item: T): void => void this.#waiting.push(item);
  #end: ((controller: ReadableStreamDefaultController<unknown>) => void) | undefined;
  #controller: ReadableStreamDefaultController<unknown> | undefined;
  #readable: ReadableStream<unknown> | undefined;

  /** @param refuse takes what comes after the reader has cancelled */
  constructor(refuse: (item: T) => void) {
    this.#refuse = refuse;
  }

  /** The stream, of what `view` makes of each item. The first call decides on the view. */
  readable<V>(view: (item: T) => V): ReadableStream<V> {
    this.#readable ??= new ReadableStream<V>({
      start: (controller) => {
        this.#controller = controller;
        this.#push = (item) => controller.enqueue(view(item));
        for (const item of this.#waiting.splice(0)) this.#push(item);
        this.#end?.(controller);
      },
      cancel: () => {
        this.#controller = undefined;
        this.#push = this.#refuse;
      },
    });
    return this.#readable as ReadableStream<V>;
  }

  push(item: T): void {
    if (this.#end === undefined) this.#push(item);
    else this.#refuse(item);
  }

  /** What is queued can still be read. */
  close(): void {
    this.#finish((controller) => controller.close());
  }

  fail(error: unknown): void {
    this.#finish((controller) => controller.error(error));
  }

  #finish(end: (controller: ReadableStreamDefaultController<unknown>) => void): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (this.#controller !== undefined) end(this.#controller);
  }
}
