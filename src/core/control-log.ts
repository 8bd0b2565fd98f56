// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";

/**
 * The control messages of one channel, counted in both directions, so that each arrives once although the connection may
 * be lost in between: what the other end has not acknowledged is kept, and sent again on the next connection. Plain code
 * without I/O or clock.
 */
export class ControlLog {
  /** Messages that were not acknowledged, in order. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #acknowledged = 0;
  #received = 0;
  /** What the other end was last told. */
  #told = 0;

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** How many messages were received. */
  get received(): number {
    return this.#received;
  }

  /** What the other end has not acknowledged. */
  get unacknowledged(): readonly Uint8Array[] {
    return this.#kept;
  }

  /** A message is sent, or will be. @throws ConecError `limit-exceeded` when the other end acknowledges nothing */
  sent(message: Uint8Array): void {
    this.#kept.push(message);
    this.#keptBytes += message.length;
    if (this.#keptBytes <= maxKeptBytes) return;
    throw new ConecError("limit-exceeded", "The peer does not take its control messages", {
      source: "channel",
      remote: true,
    });
  }

  /** The other end has so many. @throws ConecError `protocol-error` */
  acknowledge(count: number): void {
    const known = count - this.#acknowledged;
    if (known < 0 || known > this.#kept.length) {
      throw new ConecError("protocol-error", `${count} control messages cannot have been received`, {
        source: "channel",
        remote: true,
      });
    }
    for (const message of this.#kept.splice(0, known)) this.#keptBytes -= message.length;
    this.#acknowledged = count;
  }

  /** A message came. True when it is time to {@link tell} the other end. */
  receive(): boolean {
    this.#received += 1;
    return this.#received - this.#told >= messagesPerAck;
  }

  /** The number to tell the other end. */
  tell(): number {
    return (this.#told = this.#received);
  }
}

/** Of small messages, these take a few kilobytes at the other end. */
const messagesPerAck = 32;
/** Enough for 256 streams that are opened with 4 KiB of metadata each while the other end is away. */
const maxKeptBytes = 2 * 1_048_576;
