/** A ReadableStream that is pushed to. When its reader cancels it, what comes later goes to `refuse`. */
export class IncomingQueue<T> {
  readonly readable: ReadableStream<T>;
  #controller: ReadableStreamDefaultController<T> | undefined;
  readonly #refuse: (item: T) => void;

  constructor(refuse: (item: T) => void) {
    this.#refuse = refuse;
    this.readable = new ReadableStream<T>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#controller = undefined;
      },
    });
  }

  push(item: T): void {
    if (this.#controller === undefined) this.#refuse(item);
    else this.#controller.enqueue(item);
  }

  /** What is queued can still be read. */
  close(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  fail(error: unknown): void {
    this.#controller?.error(error);
    this.#controller = undefined;
  }
}
