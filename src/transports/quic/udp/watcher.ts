// SPDX-License-Identifier: Apache-2.0
import type { Libc, PollHandle, PollWanted } from "./libc.ts";

/**
 * Tells when a descriptor is ready, as often as the event loop turns while it is. It may tell so for nothing.
 *
 * The callback runs outside of any scope of Node's: microtasks and ticks that it queues wait for the next one, and what
 * it throws is lost. So it should do no more than `setImmediate`.
 */
export class Watcher {
  readonly #handle: PollHandle;
  readonly #onReady: () => void;
  #writable = false;
  #closed = false;

  /** Holds the process, and itself, until {@link close}. */
  constructor(libc: Libc, fd: number, onReady: () => void) {
    this.#onReady = onReady;
    this.#handle = libc.poll(fd, this.#wanted, this.#callback);
    if (watchers.size === 0) process.on("exit", closeAll);
    watchers.add(this);
  }

  /** Whether it is also told when the descriptor can be written to. */
  watchWritable(writable: boolean): void {
    if (writable !== this.#writable) {
      this.#writable = writable;
      this.restart();
    }
  }

  /** For who was told for nothing, in case the watch has ended. */
  restart(): void {
    if (!this.#closed) this.#handle.start(this.#wanted, this.#callback);
  }

  unref(): void {
    if (!this.#closed) this.#handle.unref();
  }

  /** To be called before the descriptor is closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
    watchers.delete(this);
    if (watchers.size === 0) process.off("exit", closeAll);
  }

  readonly #callback = (status: unknown): void => {
    // An error that waits at the socket has ended the watch. Reading takes it away.
    if (typeof status === "number" && status < 0) this.restart();
    this.#onReady();
  };

  get #wanted(): PollWanted {
    return { readable: true, writable: this.#writable };
  }
}

/**
 * Those that are open. While Node takes its environment down it still lets the event loop turn, and a callback then would
 * be a call into JavaScript that is not there any more, which ends the process with a dump.
 */
const watchers = new Set<Watcher>();

function closeAll(): void {
  for (const watcher of watchers) watcher.close();
}
