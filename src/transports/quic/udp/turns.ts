// SPDX-License-Identifier: Apache-2.0
import type { TurnTaker } from "./udp-endpoint.ts";

/**
 * The order of work around a UDP socket: datagrams are taken in as they come; once a turn of the event loop
 * (`setImmediate`) the connections they belong to are processed; and when everything that follows from that has run
 * (web streams work in microtasks), packets are built, so that what is sent in one turn shares full packets.
 */
export class Turns {
  /** Sends what was built. False when the socket is full. */
  readonly #submit: () => boolean;
  readonly #toProcess = new Set<TurnTaker>();
  /** Those with data to send go first: somebody waits for it, and each packet takes its time in the kernel. */
  readonly #toFlush = new Set<TurnTaker>();
  readonly #toAcknowledge = new Set<TurnTaker>();
  #processing = false;
  #flushing = false;
  #paused = false;
  #closed = false;

  constructor(submit: () => boolean) {
    this.#submit = submit;
  }

  processLater(taker: TurnTaker): void {
    this.#toProcess.add(taker);
    if (this.#processing) return;
    this.#processing = true;
    setImmediate(this.#process);
  }

  /** Takes datagrams in and processes the connections they belong to, both now: for who is in a turn of its own. */
  receive(take: () => void): void {
    this.#processing = true;
    try {
      take();
    } finally {
      this.#process();
    }
  }

  flushLater(taker: TurnTaker, what: "data" | "acknowledgements"): void {
    (what === "data" ? this.#toFlush : this.#toAcknowledge).add(taker);
    if (!this.#paused) this.#scheduleFlush();
  }

  /** The socket is full: nothing is flushed before {@link resume}. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#toFlush.size + this.#toAcknowledge.size > 0) this.#scheduleFlush();
  }

  close(): void {
    this.#closed = true;
    this.#toFlush.clear();
    this.#toAcknowledge.clear();
    this.#toProcess.clear();
  }

  readonly #process = (): void => {
    this.#processing = false;
    const takers = [...this.#toProcess];
    this.#toProcess.clear();
    for (const each of takers) each.process();
  };

  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // A tick that is queued from a microtask runs when the microtasks have run out.
    queueMicrotask(this.#flushInTick);
  }

  readonly #flushInTick = (): void => process.nextTick(this.#flush);

  readonly #flush = (): void => {
    this.#flushing = false;
    for (const waiting of [this.#toFlush, this.#toAcknowledge]) {
      for (const taker of waiting) {
        if (this.#closed || !taker.flush()) return;
        this.#toFlush.delete(taker);
        this.#toAcknowledge.delete(taker);
      }
      if (!this.#submit()) return;
    }
  };
}
