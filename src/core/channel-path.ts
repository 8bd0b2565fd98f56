// SPDX-License-Identifier: Apache-2.0
import { toConecError } from "./errors.ts";
import type { ConecError } from "./errors.ts";
import type { ControlMessage } from "./control-messages.ts";
import type { ByteWriter, CloseInfo } from "./transport.ts";
import type { ByteSource } from "../streams/byte-ends.ts";

/**
 * What a channel end sits on: the way to the other end for control messages and data streams. A Channel knows its path,
 * not a connection, so that the path can be exchanged under it.
 */
export interface ChannelPath {
  /** Sends a control message; kept in order. Returns a promise when it would be well to wait before the next. */
  send(message: ControlMessage): void | Promise<void>;
  /** Opens the byte stream of a data stream, its header and then `head` already written. */
  openStream(stream: number, epoch: number, head?: Uint8Array): Promise<ByteWriter>;
  /** Says who takes what comes; what came before waits in order. Called again to hand over to another receiver. */
  attach(receiver: ChannelPathReceiver): void;
  /** Stops giving out what comes, until {@link attach} is called again. */
  detach(): void;
  /** Ends this direction after what was sent; the other one ends when the other side does so. */
  end(): void;
}

/** Takes what comes on a {@link ChannelPath}. */
export interface ChannelPathReceiver {
  /** The next message is given out when the returned promise has resolved. */
  message(message: ControlMessage): void | Promise<void>;
  /** A data stream's bytes have begun. */
  stream(stream: number, epoch: number, source: ByteSource): void;
  /**
   * The connection under the path was lost, and with it all byte streams. Control messages, sent or to come, are only late:
   * the path may be {@link resumed}, or else has {@link ended}.
   */
  suspended(): void;
  /** The path goes on, over another connection. */
  resumed(): void;
  /**
   * Nothing more comes: the other side ended the path, or it broke, with the error, or it went with a connection that
   * was closed. Called once, last.
   */
  ended(error?: ConecError, closed?: CloseInfo): void;
}

/** Keeps what comes on a path until somebody is attached. While nobody is, the sender of messages waits. */
export class PathInbox {
  #receiver: ChannelPathReceiver | undefined;
  readonly #waiting: { event: (receiver: ChannelPathReceiver) => void | Promise<void>; delivered?: () => void }[] = [];
  #delivering = false;

  attach(receiver: ChannelPathReceiver): void {
    this.#receiver = receiver;
    void this.#deliver();
  }

  detach(): void {
    this.#receiver = undefined;
  }

  /** How many messages and streams wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  message(message: ControlMessage): void | Promise<void> {
    if (this.#receiver !== undefined && this.#waiting.length === 0 && !this.#delivering) {
      const taking = this.#receiver.message(message);
      return taking && this.#deliverAfter(taking);
    }
    return new Promise((delivered) => {
      this.#waiting.push({ event: (receiver) => receiver.message(message), delivered });
      void this.#deliver();
    });
  }

  stream(stream: number, epoch: number, source: ByteSource): void {
    this.#put((receiver) => receiver.stream(stream, epoch, source));
  }

  suspended(): void {
    this.#put((receiver) => receiver.suspended());
  }

  resumed(): void {
    this.#put((receiver) => receiver.resumed());
  }

  ended(error?: ConecError, closed?: CloseInfo): void {
    this.#put((receiver) => receiver.ended(error, closed));
  }

  #put(event: (receiver: ChannelPathReceiver) => void): void {
    this.#waiting.push({ event });
    void this.#deliver();
  }

  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#receiver !== undefined && this.#waiting.length > 0) {
      const { event, delivered } = this.#waiting.shift()!;
      try {
        const done = event(this.#receiver);
        if (done !== undefined) await done;
      } catch (thrown) {
        this.#receiver.ended(toConecError(thrown, "internal", { source: "channel" }));
      }
      delivered?.();
    }
    this.#delivering = false;
  }

  async #deliverAfter(taking: Promise<void>): Promise<void> {
    this.#delivering = true;
    try {
      await taking;
    } finally {
      this.#delivering = false;
      void this.#deliver();
    }
  }
}
