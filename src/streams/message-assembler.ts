// SPDX-License-Identifier: Apache-2.0
/**
 * Collects the pieces of one message that came in several chunks. Memory follows what has arrived, never the declared
 * length: it is never more than eight times that.
 */
export class MessageAssembler {
  readonly #length: number;
  #message = new Uint8Array(0);
  #received = 0;

  /** @param length bytes of the whole message */
  constructor(length: number) {
    this.#length = length;
  }

  get missingBytes(): number {
    return this.#length - this.#received;
  }

  /** Memory that is held. */
  get heldBytes(): number {
    return this.#message.length;
  }

  /** Copies the next piece, at most {@link missingBytes} long. */
  add(piece: Uint8Array): void {
    const received = this.#received + piece.length;
    if (received > this.#message.length) this.#grow(received);
    this.#message.set(piece, this.#received);
    this.#received = received;
  }

  /** The whole message, once nothing is missing. */
  assemble(): Uint8Array {
    return this.#message;
  }

  #grow(leastBytes: number): void {
    const bytes = growth * leastBytes;
    const grown = new Uint8Array(bytes > this.#length / 2 ? this.#length : bytes);
    grown.set(this.#message.subarray(0, this.#received));
    this.#message = grown;
  }
}

const growth = 4;
