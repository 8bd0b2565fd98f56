// SPDX-License-Identifier: Apache-2.0
/**
 * The writing half of a message stream: takes messages, frames them, hands byte chunks to its {@link MessageOutlet}.
 * {@link MessageWritable} is the WritableStream around it. Longer than most: what is queued, kept and sent again is one state.
 */
import { ConecError, toConecError } from "../core/errors.ts";
import { borrow } from "./buffer-pool.ts";
import { sizeOf, toBytes } from "./bytes.ts";
import { headerLength, writeHeader } from "./framing.ts";
import { busyBytes, MessageBatch } from "./message-batch.ts";
import { MessageOutlet } from "./message-outlet.ts";
import { MicrotaskDebounce } from "./microtask-debounce.ts";
import type { Retention } from "./sent-messages.ts";
import type { ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/** What a channel does when its stream's writing half ends. Each is called at most once, `broken` once a writer. */
export interface MessageSinkHooks {
  /** The end marker is on its way: settles when the other end has received every message. */
  confirm?(): Promise<void>;
  /** The stream was aborted here, with what was given to `abort`, or failed here, with a ConecError. */
  aborted?(reason: unknown): void;
  /**
   * The transport's stream broke, for a reason that is yet to be told: the answer is to call `fail`, or `attach` with another
   * one. Without this hook the stream fails at once.
   */
  broken?(error: ConecError): void;
}

export interface MessageSinkOptions {
  /** Longer messages are refused with `message-too-large`. */
  maxMessageBytes: number;
  /** See {@link MessageOutlet}. */
  retention?: Retention | undefined;
  hooks?: MessageSinkHooks;
}

/** How much was taken. */
interface Counters {
  messages: number;
  bytes: number;
}

export class MessageSink implements UnderlyingSink<Uint8Array> {
  readonly counters: Counters = { messages: 0, bytes: 0 };
  readonly #outlet: MessageOutlet;
  readonly #maxMessageBytes: number;
  readonly #smallBytes: number;
  readonly #hooks: MessageSinkHooks;
  readonly #flushSoon = new MicrotaskDebounce(() => void this.#flushWhenReady());
  #controller: WritableStreamDefaultController | undefined;
  /** Small messages that wait to leave together. */
  readonly #batch = new MessageBatch();
  /** Messages in the WritableStream's own queue, in front of which nobody may slip in. */
  #queued = 0;
  #blocked = false;
  #ending = false;
  #flushing: Promise<void> | undefined;
  /** Rejects the write or close in flight. */
  #reject: ((error: unknown) => void) | undefined;
  /** What {@link unblocked} returned, while it is pending, and what resolves it. */
  #unblocking: Promise<void> | undefined;
  #unblock: (() => void) | undefined;
  /** Called when the WritableStream's queue has become empty. */
  #dequeued: (() => void) | undefined;
  #error: unknown;
  #state: "open" | "closing" | "ended" = "open";

  /** Nothing leaves before {@link attach}. */
  constructor({ maxMessageBytes, retention, hooks = {} }: MessageSinkOptions) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#smallBytes = Math.min(copiedBytes, maxMessageBytes);
    this.#hooks = hooks;
    this.#outlet = new MessageOutlet({ retention, onBroken: (thrown) => this.#broken(thrown) });
  }

  /** See {@link MessageOutlet.attach}. */
  attach(writer: ByteWriter, count?: number): boolean {
    return this.#outlet.attach(writer, count);
  }

  /** See {@link MessageOutlet.detach}. */
  detach(reason: unknown): void {
    this.#outlet.detach(reason);
  }

  /** See {@link MessageOutlet.confirm}. */
  confirm(count: number): boolean {
    return this.#outlet.confirm(count);
  }

  /** How many messages the other end is known to have received. */
  get confirmed(): number {
    return this.#outlet.confirmed;
  }

  /** See {@link MessageOutlet}. */
  get moved(): number {
    return this.#outlet.moved;
  }

  get isWaiting(): boolean {
    return this.#outlet.isWaiting;
  }

  /** The queuing strategy that the WritableStream must use: it counts bytes, and tells the sink what is queued. */
  get strategy(): QueuingStrategy<Uint8Array> {
    const size = (chunk: unknown): number => {
      this.#queued += 1;
      return sizeOf(chunk) + 1;
    };
    return { highWaterMark: highWaterBytes, size };
  }

  start(controller: WritableStreamDefaultController): void {
    this.#controller = controller;
    // The signal comes at once, abort() only after a write in flight, which a stalled reader may hold up for ever.
    controller.signal.addEventListener("abort", () => this.abort(controller.signal.reason), { once: true });
    if (this.#error !== undefined) controller.error(this.#error);
  }

  write(chunk: unknown): void | Promise<void> {
    this.#queued -= 1;
    if (this.#queued === 0) this.#dequeued?.();
    try {
      const waiting = this.#append(this.#check(chunk));
      return waiting && this.#untilEnd(waiting);
    } catch (error) {
      this.abort(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#state = "closing";
    this.#unblock?.();
    const { messages } = this.#batch;
    this.#batch.addEnd();
    const closed = this.#outlet.sendEnd(this.#batch.take(), messages);
    closed.catch(ignore);
    await this.#untilEnd(this.#hooks.confirm?.() ?? closed);
    this.#state = "ended";
    this.#outlet.end(undefined);
  }

  abort(reason: unknown): void {
    if (this.#state === "ended") return;
    this.#end(reason ?? new ConecError("aborted", "The stream was aborted", { source: "stream" }));
    this.#hooks.aborted?.(reason);
  }

  /** True once the program has asked for the end, though messages may still be waiting in front of it. */
  get ending(): boolean {
    return this.#ending || this.#state === "closing";
  }

  /** Why a `write` is refused, as every WritableStream has it; undefined while nothing is against it. */
  get refusal(): unknown {
    if (this.#error !== undefined || !(this.ending || this.#state === "ended")) return this.#error;
    return new TypeError("The stream was closed");
  }

  /** The program has called `close`; {@link close} comes when what it wrote before has left. */
  expectEnd(): void {
    this.#ending = true;
  }

  /** See {@link MessageWritable.tryWrite}. */
  tryWrite(chunk: unknown): boolean {
    if (this.#error !== undefined) throw this.#error;
    if (this.#state !== "open" || this.#ending)
      throw new ConecError("closed", "The stream was closed", { source: "stream" });
    const message = this.#check(chunk);
    const full = !this.#outlet.ready && (message.length > copiedBytes || this.#batch.size >= maxBatchBytes);
    if (full || this.#queued > 0) {
      this.#blocked = true;
      return false;
    }
    void this.#append(message);
    return true;
  }

  /** Takes a small message if nothing is in its way; else the message goes through the stream's queue. */
  takeSmall(chunk: unknown): boolean {
    const open = this.#state === "open" && !this.#ending && this.#error === undefined && this.#queued === 0;
    if (!open) return false;
    if (this.#batch.size >= busyBytes && !this.#outlet.ready) {
      // Whoever looks at `ready` waits from now on, so that what follows need not queue up.
      this.#blocked = true;
      return false;
    }
    if (!(chunk instanceof Uint8Array) || chunk.length === 0 || chunk.length > this.#smallBytes) return false;
    try {
      void this.#append(chunk);
    } catch {
      return false; // it is not what it looked like: `write` tells
    }
    return true;
  }

  /** True after a refused {@link tryWrite} or {@link takeSmall}, until {@link unblocked} has resolved. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Resolves when {@link tryWrite} is worth another try; also when the stream has ended. */
  unblocked(): Promise<void> {
    this.#unblocking ??= new Promise<void>((resolve) => {
      this.#unblock = resolve;
      if (this.#state === "open") void this.#untilRoom().then(resolve);
      else resolve();
    }).then(() => {
      this.#unblocking = undefined;
      this.#blocked = false;
    });
    return this.#unblocking;
  }

  /** Ends the stream from below: pending and later calls reject with `error`, the transport's stream is ended. */
  fail(error: ConecError): void {
    if (this.#state === "ended") return;
    this.#end(error);
    this.#controller?.error(error);
  }

  async #untilRoom(): Promise<void> {
    await this.#flushWhenReady();
    // Without this wait a loop around tryWrite would spin, and what it waits for would never get its turn.
    while (this.#queued > 0) await new Promise<void>((resolve) => (this.#dequeued = resolve));
  }

  #check(chunk: unknown): Uint8Array {
    const message = toBytes(chunk);
    if (message.length <= this.#maxMessageBytes) return message;
    throw new ConecError(
      "message-too-large",
      `A message of ${message.length} bytes is over the limit of ${this.#maxMessageBytes}`,
      { source: "stream" },
    );
  }

  /** Returns a promise when it would be well to wait before the next message. */
  #append(message: Uint8Array): void | Promise<void> {
    if (message.length > copiedBytes) {
      const frame = borrow(headerLength(message.length) + message.length);
      frame.set(message, writeHeader(frame, 0, message.length));
      this.#flush();
      this.#outlet.send(frame, 1, true);
      this.#count(message);
      return this.#outlet.ready ? undefined : this.#outlet.room();
    }
    this.#batch.add(message);
    this.#count(message);
    if (this.#batch.size >= busyBytes) return this.#flushWhenReady();
    return this.#flushSoon.touch();
  }

  #count(message: Uint8Array): void {
    this.counters.messages += 1;
    this.counters.bytes += message.length;
  }

  /** Hands the batch on, at once or, when the transport is full, as soon as it has room: then returns a promise. */
  #flushWhenReady(): void | Promise<void> {
    if (this.#outlet.ready) return this.#flush();
    this.#flushing ??= this.#outlet.room().then(() => {
      this.#flushing = undefined;
      this.#flush();
    });
    return this.#flushing;
  }

  #flush(): void {
    if (this.#batch.size === 0 || this.#state === "ended") return;
    const { messages } = this.#batch;
    this.#outlet.send(this.#batch.take(), messages);
  }

  /** Waits for `pending`, but no longer than the stream lives: abort and error must not wait for a stalled reader. */
  #untilEnd(pending: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      pending.then(resolve, reject);
    });
  }

  #broken(thrown: unknown): void {
    const error = toConecError(thrown, "connection-lost", { source: "stream" });
    if (this.#hooks.broken === undefined) this.fail(error);
    else this.#hooks.broken(error);
  }

  #end(error: unknown): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#error = error;
    this.#batch.clear();
    this.#reject?.(error);
    this.#unblock?.();
    this.#outlet.end(error);
  }
}

/** Messages up to this long share a batch; longer ones have a chunk of their own. */
const copiedBytes = 4096;
/** `tryWrite` fills the batch up to here while the transport is full. */
const maxBatchBytes = 65_536;
/** What `write` takes in before `desiredSize` falls to 0. */
const highWaterBytes = 65_536;
