// SPDX-License-Identifier: Apache-2.0
/**
 * How many bytes the other end may send, on one stream or on all of them (RFC 9000, section 4.1): as many as were read,
 * and a window of more.
 */
export class ReceiveWindow {
  #windowBytes: number;
  #limit: number;
  #received = 0;
  #consumed = 0;
  #updatedMs: number;

  constructor(windowBytes: number, nowMs: number) {
    this.#windowBytes = windowBytes;
    this.#limit = windowBytes;
    this.#updatedMs = nowMs;
  }

  /** How many bytes have come. */
  get received(): number {
    return this.#received;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Bytes come in. False if they are more than was allowed. */
  receive(bytes: number): boolean {
    if (this.#received + bytes > this.#limit) return false;
    this.#received += bytes;
    return true;
  }

  /** Bytes that came in were read or thrown away. */
  consume(bytes: number): void {
    this.#consumed += bytes;
  }

  /** Whether it is time to allow more. */
  get isDue(): boolean {
    return this.#limit - this.#consumed <= this.#windowBytes / 2;
  }

  /**
   * The limit to tell the other end now, or undefined if it need not be told anything. When half a window was read
   * within {@link fastMs}, the window is doubled, by `maxGrowth` at most.
   */
  update(nowMs: number, maxGrowth: number): number | undefined {
    if (!this.isDue) return undefined;
    if (nowMs - this.#updatedMs < fastMs) this.#windowBytes += Math.min(this.#windowBytes, maxGrowth);
    this.#updatedMs = nowMs;
    this.#limit = this.#consumed + this.#windowBytes;
    return this.#limit;
  }
}

/** A window that lasts for twice this time does not slow down what is further away than most of the world. */
const fastMs = 200;
