// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import { decodeControlMessage, encodeControlMessage, maxControlMessageBytes } from "./control-messages.ts";
import type { ControlMessage, ControlMessageOf } from "./control-messages.ts";
import { MessageSink } from "../streams/message-sink.ts";
import { MessageSource } from "../streams/message-source.ts";
import type { ByteReader, ByteWriter } from "./transport.ts";
import { ignore } from "../streams/ignore.ts";

/** Control messages over one bidirectional transport stream: a message stream each way. */
export class ControlStream {
  readonly #sink: MessageSink;
  readonly #source: MessageSource;
  /** The {@link receive} that waits. */
  #receiving:
    { resolve: (bytes: Uint8Array<ArrayBuffer> | undefined) => void; reject: (error: unknown) => void } | undefined;
  /** Messages that the transport has yet to take. */
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #drained: Promise<void> | undefined;
  #ended = false;

  readonly #limited: ((limit: string) => void) | undefined;
  readonly #onHeld: ((bytes: number) => void) | undefined;

  /**
   * @param head bytes that were read already
   * @param limited called when a limit is reached, with its name
   * @param onHeld told how many bytes more, or less, wait here to be sent
   */
  constructor(
    { reader, writer }: { reader: ByteReader; writer: ByteWriter },
    head: Uint8Array = new Uint8Array(0),
    limited?: (limit: string) => void,
    onHeld?: (bytes: number) => void,
  ) {
    this.#limited = limited;
    this.#onHeld = onHeld;
    this.#sink = new MessageSink({ maxMessageBytes: maxControlMessageBytes });
    this.#sink.attach(writer);
    this.#source = new MessageSource({ maxMessageBytes: maxControlMessageBytes });
    // No ReadableStream in between: every channel has a control stream, and most of the time it is idle.
    this.#source.start({
      enqueue: (bytes) => this.#receiving?.resolve(bytes as Uint8Array<ArrayBuffer>), // as MessageSource takes them
      close: () => this.#receiving?.resolve(undefined),
      error: (error) => this.#receiving?.reject(error),
      desiredSize: 0,
    });
    this.#source.attach(head, reader);
  }

  /**
   * Sends a message, in order. Returns a promise while the other end is behind. A peer that lets more than
   * 1 MiB wait loses the stream.
   */
  send(message: ControlMessage): void | Promise<void> {
    return this.sendBytes(encodeControlMessage(message));
  }

  /** As {@link send}, for a message that is encoded already. */
  sendBytes(bytes: Uint8Array): void | Promise<void> {
    if (this.#ended) return;
    if (this.#queue.length === 0 && this.#tryWrite(bytes)) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#onHeld?.(bytes.length);
    if (this.#queuedBytes > maxQueuedBytes) {
      this.#limited?.("unreadControlMessages");
      this.fail(
        new ConecError("limit-exceeded", "The peer does not read its control messages", {
          source: "channel",
          remote: true,
        }),
      );
      return;
    }
    return (this.#drained ??= this.#drain());
  }

  /**
   * The next message; undefined when the other end has ended its direction.
   *
   * @throws ConecError `protocol-error` and what the transport ended with
   */
  async receive(): Promise<ControlMessage | undefined> {
    const bytes = await this.#receiveBytes();
    return bytes === undefined ? undefined : decodeControlMessage(bytes);
  }

  /**
   * The next message, which must be of one of `types`.
   *
   * @throws as {@link receive}, `protocol-error` for another message or the end, `timeout` after `timeoutMs`
   */
  async expect<T extends ControlMessage["type"]>(types: readonly T[], timeoutMs: number): Promise<ControlMessageOf<T>> {
    return (await this.expectBytes(types, timeoutMs)).message;
  }

  /** As {@link expect}, with the bytes of the message, for what is signed. */
  async expectBytes<T extends ControlMessage["type"]>(
    types: readonly T[],
    timeoutMs: number,
  ): Promise<{ message: ControlMessageOf<T>; bytes: Uint8Array<ArrayBuffer> }> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const error = new ConecError("timeout", `No ${types.join(" or ")} message came within ${timeoutMs} ms`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      const bytes = await Promise.race([this.#receiveBytes(), timeout]);
      const message = bytes && decodeControlMessage(bytes);
      if (message !== undefined && (types as readonly string[]).includes(message.type))
        return { message: message as ControlMessageOf<T>, bytes: bytes! };
      throw new ConecError(
        "protocol-error",
        `Expected ${types.join(" or ")}, got ${message?.type ?? "the end of the stream"}`,
        { remote: true },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** Bytes of all messages that were received. */
  get receivedBytes(): number {
    return this.#source.counters.bytes;
  }

  /** What still comes is thrown away, unread. */
  stopReading(): void {
    this.#source.cancel(undefined);
  }

  /** Ends this direction, after what was sent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    void Promise.resolve(this.#drained).then(() => this.#sink.close().catch(ignore));
  }

  /** Gives the stream up, both ways. */
  fail(error: ConecError): void {
    this.#ended = true;
    this.#queue.length = 0;
    this.#unqueue(this.#queuedBytes);
    this.#sink.fail(error);
    this.#source.fail(error);
  }

  #receiveBytes(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return new Promise((resolve, reject) => {
      this.#receiving = { resolve, reject };
      if (!this.#source.over) this.#source.pull();
      else if (this.#source.failure === undefined) resolve(undefined);
      else reject(this.#source.failure);
    });
  }

  #tryWrite(bytes: Uint8Array): boolean {
    try {
      return this.#sink.tryWrite(bytes);
    } catch {
      return true; // the stream has failed; receive() tells why
    }
  }

  #unqueue(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#onHeld?.(-bytes);
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#sink.unblocked();
      while (this.#queue.length > 0 && this.#tryWrite(this.#queue[0]!)) this.#unqueue(this.#queue.shift()!.length);
    }
    this.#drained = undefined;
  }
}

/** A peer must read its control messages before this many bytes wait for it. */
const maxQueuedBytes = 1_048_576;
