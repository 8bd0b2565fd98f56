// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import { PathInbox } from "./channel-path.ts";
import type { ChannelPath, ChannelPathReceiver } from "./channel-path.ts";
import type { ControlMessage } from "./control-messages.ts";
import type { ByteWriter } from "./transport.ts";
import { writeHead } from "../streams/byte-ends.ts";
import { createBytePipe } from "../streams/byte-pipe.ts";

/** Two paths within one process: what is sent on one comes on the other. */
export function createLocalPaths(): [ChannelPath, ChannelPath] {
  const first = new LocalPath();
  const second = new LocalPath();
  first.connect(second);
  second.connect(first);
  return [first, second];
}

class LocalPath implements ChannelPath {
  readonly #inbox = new PathInbox();
  #other!: LocalPath;
  #ended = false;

  connect(other: LocalPath): void {
    this.#other = other;
  }

  send(message: ControlMessage): void | Promise<void> {
    if (this.#ended) return undefined;
    // Never in the caller's own turn: the receiver may call back.
    return Promise.resolve().then(() => {
      const inbox = this.#other.#inbox;
      const taken = inbox.message(message);
      // Whoever answers within his turn must not wait until that has been dealt with: the other one may do the same.
      return inbox.waiting > mostWaiting ? taken : undefined;
    });
  }

  async openStream(stream: number, epoch: number, head = nothing): Promise<ByteWriter> {
    if (this.#ended) throw new ConecError("closed", "The channel was closed", { source: "channel" });
    const { readable, writable } = createBytePipe();
    this.#other.#inbox.stream(stream, epoch, { head: nothing, reader: readable.getReader() });
    return writeHead(writable.getWriter(), head);
  }

  attach(receiver: ChannelPathReceiver): void {
    this.#inbox.attach(receiver);
  }

  detach(): void {
    this.#inbox.detach();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    queueMicrotask(() => this.#other.#inbox.ended());
  }
}

const nothing = new Uint8Array(0);
/**
 * More than the streams of a channel give rise to at once, and little enough to be kept for a Client that does not read what
 * the Coordinator's end answers.
 */
const mostWaiting = 1024;
