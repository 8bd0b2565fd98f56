// SPDX-License-Identifier: Apache-2.0
/**
 * The reading half of a message stream: reads a transport's byte stream, takes it apart, gives out messages.
 * {@link MessageReadable} is the ReadableStream around it. Longer than most: what is read, counted and ended is one state.
 */
import { ConecError, toConecError } from "../core/errors.ts";
import { endOrCancel, discard } from "./linger.ts";
import { FrameDecoder } from "./framing.ts";
import type { ByteReader } from "../core/transport.ts";

/** What a channel does when its stream's reading half ends. Each is called at most once, but `broken` and `progress`. */
export interface MessageSourceHooks {
  /** Every message has been received; they may still wait to be read. */
  ended?(): void;
  /** The stream was cancelled here, with what was given to `cancel`, or failed here, with a ConecError. */
  cancelled?(reason: unknown): void;
  /** The writer aborted, or the transport ended the stream; why, the other end may yet tell: the answer is `fail`. */
  broken?(error: ConecError): void;
  /** The last message was taken out, or the stream failed or was cancelled. */
  drained?(): void;
  /** Messages came; so many bytes were received since {@link MessageSource.report}. */
  progress?(unreportedBytes: number): void;
}

export interface MessageSourceOptions {
  /** Longer messages fail the stream with `message-too-large`. */
  maxMessageBytes: number;
  /** Told how many bytes more, or less, are kept here. */
  onHeld?: ((bytes: number) => void) | undefined;
  hooks?: MessageSourceHooks;
}

export class MessageSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly counters = { messages: 0, bytes: 0 };
  readonly #hooks: MessageSourceHooks;
  readonly #maxMessageBytes: number;
  #decoder: FrameDecoder;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #reader: ByteReader | undefined;
  /** Messages received on all readers, and bytes since the last report. */
  #received = 0;
  #reported = 0;
  #unreportedBytes = 0;
  /** Messages decoded and not yet taken, from #next on. */
  #messages: Uint8Array[] = [];
  #next = 0;
  #bufferedBytes = 0;
  readonly #onHeld: ((bytes: number) => void) | undefined;
  /** What {@link MessageSourceOptions.onHeld} was told in all. */
  #heldBytes = 0;
  /** A read is waiting for the next message. */
  #wanted = false;
  /** Wakes the pump when there is room again. */
  #resume: (() => void) | undefined;
  /** "ended" and "failing": nothing more comes, but messages still wait to be taken. */
  #state: "open" | "ended" | "failing" | "closed" = "open";
  #failure: ConecError | undefined;
  #discarding = false;

  constructor(options: MessageSourceOptions) {
    this.#hooks = options.hooks ?? {};
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#onHeld = options.onHeld;
    this.#decoder = new FrameDecoder(options.maxMessageBytes);
  }

  /** True when everything was taken, or the stream has failed: then with {@link failure}. */
  get over(): boolean {
    return this.#state === "closed";
  }

  get failure(): ConecError | undefined {
    return this.#failure;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  pull(): void {
    const message = this.#take();
    if (message === undefined) this.#wanted = true;
    else this.#controller.enqueue(message);
    this.#settleIfDrained();
  }

  cancel(reason: unknown): void {
    const open = this.#state === "open";
    this.#finish();
    if (!open) return;
    this.#discard();
    this.#hooks.cancelled?.(reason);
  }

  /**
   * Gives the bytes to read, and the reader that the rest comes from; until then reads wait. After {@link detach} they begin
   * with the message behind those that were received.
   */
  attach(head: Uint8Array, reader: ByteReader): void {
    this.#reader = reader;
    this.#decoder = new FrameDecoder(this.#maxMessageBytes);
    if (this.#state !== "open") this.#discard();
    else this.#discarding = false;
    void this.#pump(reader, head);
  }

  /** Lets go of the reader: what still comes from it is thrown away, an unfinished message with it. */
  detach(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#wake();
    if (reader !== undefined) endOrCancel(reader, undefined);
  }

  /** How many messages were received, if the writer does not know yet; it is going to be told. */
  report(): number | undefined {
    this.#unreportedBytes = 0;
    if (this.#reported === this.#received) return undefined;
    return (this.#reported = this.#received);
  }

  /** How many messages the program has taken. */
  get moved(): number {
    return this.counters.messages;
  }

  /** Whether messages wait for the program, and the writer for it. */
  get isWaiting(): boolean {
    return this.#state === "open" && this.#next < this.#messages.length;
  }

  /** How many messages were received. */
  get received(): number {
    return this.#received;
  }

  /** See {@link MessageReadable.tryRead}. */
  tryRead(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#state === "closed" && this.#failure !== undefined) throw this.#failure;
    return this.takeReady();
  }

  /** The next message, if it is there and no earlier read waits for it. */
  takeReady(): Uint8Array<ArrayBuffer> | undefined {
    // A message in the stream's own queue belongs to a read that was given up: the next read gets it first.
    if (this.#wanted || this.#next === this.#messages.length || this.#controller.desiredSize! < 0) return undefined;
    const message = this.#take();
    this.#settleIfDrained();
    return message;
  }

  /** Whoever read has gone, with his read pending. */
  released(): void {
    this.#wanted = false;
  }

  /**
   * Ends the stream from below, unless its end was received already: pending and later reads reject with `error`.
   * Messages not yet taken are dropped if the writer aborted; else they come first.
   */
  fail(error: ConecError): void {
    if (this.#state !== "open") return;
    this.#state = "failing";
    this.#failure = error;
    this.#discard();
    if (error.code === "aborted") this.#dropMessages();
    this.#settleIfDrained();
  }

  async #pump(reader: ByteReader, head: Uint8Array): Promise<void> {
    let chunk = head;
    /** The whole of the chunk, if it was read here. */
    let read: Uint8Array | undefined;
    try {
      for (;;) {
        while (this.#bufferedBytes >= readAheadBytes && !this.#discarding && this.#reader === reader)
          await new Promise<void>((resolve) => (this.#resume = resolve));
        if (this.#reader !== reader) return await discard(reader);
        if (chunk.length > 0 && !this.#discarding) chunk = chunk.subarray(this.#decode(chunk));
        else {
          if (read !== undefined && !this.#decoder.sharesMemory) reader.recycle?.(read);
          this.#decoder.sharesMemory = false;
          const { value, done } = await reader.read();
          if (done) break;
          chunk = read = value;
        }
      }
      if (!this.#discarding && this.#reader === reader) this.#decoder.finish();
    } catch (thrown) {
      if (this.#reader === reader) this.#pumpFailed(thrown);
    }
  }

  /** Returns how many bytes were decoded; all of them unless there are very many messages in them. */
  #decode(chunk: Uint8Array): number {
    const before = this.#messages.length;
    let decoded = chunk.length;
    let fault: unknown;
    try {
      decoded = this.#decoder.decode(chunk, this.#messages, readAheadBytes / messageOverheadBytes);
    } catch (thrown) {
      fault = thrown;
    }
    const messages = this.#messages.length - before;
    let bytes = 0;
    for (let i = before; i < this.#messages.length; i++) bytes += this.#messages[i]!.length;
    this.#bufferedBytes += bytes + messages * messageOverheadBytes;
    this.#received += messages;
    this.#unreportedBytes += bytes;
    this.#countHeld();
    if (messages > 0) this.#hooks.progress?.(this.#unreportedBytes);
    this.#deliver();
    if (fault !== undefined) this.#pumpFailed(fault);
    else if (this.#decoder.state === "ended") this.#receivedAll();
    else if (this.#decoder.state === "aborted")
      this.#broken(new ConecError("aborted", "The stream was aborted", { source: "stream", remote: true }));
    return decoded;
  }

  #deliver(): void {
    if (!this.#wanted) return;
    const message = this.#take();
    if (message === undefined) return;
    this.#wanted = false;
    this.#controller.enqueue(message);
  }

  #take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#next === this.#messages.length) return undefined;
    const message = this.#messages[this.#next]!;
    // A reader that is always a little behind never empties the array.
    this.#messages[this.#next] = taken;
    this.#next += 1;
    if (this.#next === this.#messages.length || this.#next >= maxTakenMessages) {
      this.#messages = this.#messages.slice(this.#next);
      this.#next = 0;
    }
    this.counters.messages += 1;
    this.counters.bytes += message.length;
    this.#bufferedBytes -= message.length + messageOverheadBytes;
    this.#countHeld();
    if (this.#resume !== undefined && this.#bufferedBytes < readAheadBytes) this.#wake();
    return message as Uint8Array<ArrayBuffer>; // as transports give no shared memory
  }

  #receivedAll(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#discard();
    this.#hooks.ended?.();
    this.#settleIfDrained();
  }

  #settleIfDrained(): void {
    if (this.#next < this.#messages.length || (this.#state !== "ended" && this.#state !== "failing")) return;
    this.#finish();
    if (this.#failure === undefined) this.#controller.close();
    else this.#controller.error(this.#failure);
  }

  #pumpFailed(thrown: unknown): void {
    if (this.#state !== "open") return;
    const error = toConecError(thrown, "connection-lost", { source: "stream" });
    if (error.code === "message-too-large" || error.code === "protocol-error") {
      this.fail(error);
      this.#hooks.cancelled?.(error);
    } else this.#broken(error);
  }

  #broken(error: ConecError): void {
    this.#discarding = true;
    if (this.#hooks.broken === undefined) this.fail(error);
    else this.#hooks.broken(error);
  }

  #finish(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#dropMessages();
    this.#hooks.drained?.();
  }

  #dropMessages(): void {
    this.#messages = [];
    this.#next = 0;
    this.#bufferedBytes = 0;
    this.#countHeld();
    this.#wake();
  }

  #countHeld(): void {
    if (this.#onHeld === undefined) return;
    const heldBytes = this.#bufferedBytes + (this.#discarding ? 0 : this.#decoder.heldBytes);
    const change = heldBytes - this.#heldBytes;
    this.#heldBytes = heldBytes;
    if (change !== 0) this.#onHeld(change);
  }

  #wake(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  /** Reads what still comes and throws it away, so that the transport's stream ends by itself (docs/protocol.md). */
  #discard(): void {
    this.#discarding = true;
    this.#countHeld();
    this.#wake();
    if (this.#reader !== undefined) endOrCancel(this.#reader, this.#failure);
  }
}

/** Messages are read ahead up to this many bytes, so that short streams finish without their reader. */
const readAheadBytes = 65_536;
/** What a waiting message counts beside its bytes, so that empty ones are bounded too. */
const messageOverheadBytes = 64;
/** Stands in the place of a message that was taken out; so many are kept before the array is cut. */
const taken = new Uint8Array(0);
const maxTakenMessages = 1024;
