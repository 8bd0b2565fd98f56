// SPDX-License-Identifier: Apache-2.0
import type { SendStream } from "./send-stream.ts";

/** How many streams may be found still blocked in one turn. */
const maxStuckRetries = 256;

/** Streams that wait until the engine takes more. First come, first served. */
export class BlockedStreams {
  #queue = new Set<SendStream>();

  add(stream: SendStream): void {
    this.#queue.add(stream);
  }

  delete(stream: SendStream): void {
    this.#queue.delete(stream);
  }

  /** Gives each its chance; who got something and wants more goes to the end of the queue. */
  retry(): void {
    if (this.#queue.size === 0) return;
    const served: SendStream[] = [];
    let stuck = 0;
    for (const stream of this.#queue) {
      const taken = stream.retry();
      if (taken === undefined) this.#queue.delete(stream);
      else if (taken > 0) served.push(stream);
      else if (++stuck >= maxStuckRetries) {
        this.#rotate();
        break;
      }
    }
    for (const stream of served) {
      if (this.#queue.delete(stream)) this.#queue.add(stream);
    }
  }

  #rotate(): void {
    const queue = [...this.#queue];
    this.#queue = new Set([...queue.slice(maxStuckRetries), ...queue.slice(0, maxStuckRetries)]);
  }
}
