// SPDX-License-Identifier: Apache-2.0
/**
 * A ReadableStream of things that come from the other end, with a queue that can be counted and from which a thing
 * that has gone stale can be taken out again.
 */
export class IncomingQueue<T> {
  readonly readable: ReadableStream<T>;
  readonly #onTaken: ((item: T) => void) | undefined;
  readonly #onDropped: ((item: T) => void) | undefined;
  readonly #items: T[] = [];
  #controller!: ReadableStreamDefaultController<T>;
  #wanted = false;
  #state: "open" | "closing" | "closed" = "open";

  /**
   * @param onTaken called when the program takes a thing out
   * @param onDropped called for each thing that nobody will ever take, because the program cancelled the stream
   */
  constructor(onTaken?: (item: T) => void, onDropped?: (item: T) => void) {
    this.#onTaken = onTaken;
    this.#onDropped = onDropped;
    this.readable = new ReadableStream<T>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => {
          this.#wanted = true;
          this.#deliver();
        },
        cancel: () => {
          this.#state = "closed";
          for (const item of this.#items.splice(0)) onDropped?.(item);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Whether somebody may yet take things out. */
  get open(): boolean {
    return this.#state === "open";
  }

  /** How many things nobody has taken yet. */
  get unread(): number {
    return this.#items.length;
  }

  /** Adds a thing, or drops it when the stream was cancelled or closed. */
  push(item: T): void {
    if (this.#state !== "open") return this.#onDropped?.(item);
    this.#items.push(item);
    this.#deliver();
  }

  /** Takes a thing out that nobody has taken yet. */
  remove(item: T): void {
    const index = this.#items.indexOf(item);
    if (index >= 0) this.#items.splice(index, 1);
  }

  /** Nothing more comes; what waits can still be taken. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#deliver();
  }

  #deliver(): void {
    if (this.#wanted && this.#items.length > 0) {
      this.#wanted = false;
      const item = this.#items.shift()!;
      this.#onTaken?.(item);
      this.#controller.enqueue(item);
    }
    if (this.#state === "closing" && this.#items.length === 0) {
      this.#state = "closed";
      this.#controller.close();
    }
  }
}
