/**
 * The writing half of a message stream: takes messages, frames them, hands byte chunks to a transport's stream.
 * {@link MessageWritable} is the WritableStream around it. Over 300 lines, since every way in has to look at the same few
 * states, and every way out has to leave them right.
 */
import { ConecError, toConecError } from "../core/errors.ts";
import { unrefTimeout } from "./timer.ts";
import { borrow, giveBack } from "./buffer-pool.ts";
import { isIntact, sizeOf, toBytes } from "./bytes.ts";
import { abortMarker, headerLength, writeHeader } from "./framing.ts";
import { busyBytes, MessageBatch } from "./message-batch.ts";
import { MicrotaskDebounce } from "./microtask-debounce.ts";
import type { ByteWriter } from "../core/transport.ts";
import { ignore } from "./ignore.ts";

/** What a channel does when its stream's writing half ends. Each is called at most once. */
export interface MessageSinkHooks {
  /** The end marker is on its way: settles when the other end has received every message. */
  confirm?(): Promise<void>;
  /** The stream was aborted here, with what was given to `abort`, or failed here, with a ConecError. */
  aborted?(reason: unknown): void;
  /** The transport ended the stream, for a reason that the other end may yet tell; the answer is to call `fail`. */
  broken?(error: ConecError): void;
}

export interface MessageSinkOptions {
  /** Longer messages are refused with `message-too-large`. */
  maxMessageBytes: number;
  hooks?: MessageSinkHooks;
}

/** How a message was taken. */
interface Counters {
  messages: number;
  bytes: number;
}

export class MessageSink implements UnderlyingSink<Uint8Array> {
  readonly counters: Counters = { messages: 0, bytes: 0 };
  readonly #writer: ByteWriter;
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
  /** The message in flight whose memory still belongs to the program. */
  #lent: Promise<void> | undefined;
  /** Rejects the write or close in flight. */
  #reject: ((error: unknown) => void) | undefined;
  /** What {@link unblocked} returned, while it is pending, and what resolves it. */
  #unblocking: Promise<void> | undefined;
  #unblock: (() => void) | undefined;
  /** Called when the WritableStream's queue has become empty. */
  #dequeued: (() => void) | undefined;
  #error: unknown;
  #state: "open" | "closing" | "ended" = "open";

  constructor(writer: ByteWriter, options: MessageSinkOptions) {
    this.#writer = writer;
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#smallBytes = Math.min(copiedBytes, options.maxMessageBytes);
    this.#hooks = options.hooks ?? {};
    this.#writer.ready.catch(ignore);
    this.#writer.closed.catch((thrown: unknown) => this.#transportFailed(thrown));
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
    this.#batch.addEnd();
    this.#flush();
    const closed = this.#writer.close();
    closed.catch(ignore);
    await this.#untilEnd(this.#hooks.confirm?.() ?? closed);
    this.#state = "ended";
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
    const copied = message.length <= copiedBytes;
    const full = !this.#transportReady && (!copied || this.#batch.size >= maxBatchBytes);
    if (full || this.#queued > 0) {
      this.#blocked = true;
      return false;
    }
    if (copied) void this.#append(message);
    else this.#appendCopy(message);
    return true;
  }

  /** Takes a small message if nothing is in its way; else the message goes through the stream's queue. */
  takeSmall(chunk: unknown): boolean {
    const open = this.#state === "open" && !this.#ending && this.#error === undefined && this.#queued === 0;
    if (!open) return false;
    if (this.#batch.size >= busyBytes && !this.#transportReady) {
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

  get #transportReady(): boolean {
    return this.#lent === undefined && (this.#writer.desiredSize ?? 1) > 0;
  }

  /** Returns a promise when the message's memory is still needed or the transport is full. */
  #append(message: Uint8Array): void | Promise<void> {
    if (message.length > copiedBytes) {
      this.#count(message);
      this.#batch.addHeader(message.length);
      this.#flush();
      return this.#writeUncopied(message);
    }
    this.#batch.add(message);
    this.#count(message);
    if (this.#batch.size >= busyBytes) return this.#flushWhenReady();
    return this.#flushSoon.touch();
  }

  /**
   * The transport sends what the memory holds when it comes to it. A message that was detached or resized by then has
   * spoilt the framing: nothing may follow it.
   */
  async #writeUncopied(message: Uint8Array): Promise<void> {
    const { length } = message;
    this.#lent = this.#writer.write(message);
    try {
      await this.#lent;
    } finally {
      this.#lent = undefined;
    }
    if (isIntact(message, length) || this.#state === "ended") return;
    const error = new ConecError(
      "invalid-argument",
      "The buffer of a message was detached or resized before it was sent",
      { source: "stream" },
    );
    this.#end(error, "reset");
    this.#hooks.aborted?.(error);
    throw error;
  }

  #appendCopy(message: Uint8Array): void {
    this.#count(message);
    this.#flush();
    const frame = borrow(headerLength(message.length) + message.length);
    frame.set(message, writeHeader(frame, 0, message.length));
    this.#writer.write(frame).then(() => giveBack(frame), ignore);
  }

  #count(message: Uint8Array): void {
    this.counters.messages += 1;
    this.counters.bytes += message.length;
  }

  /** Hands the batch to the transport, at once or, when it is full, as soon as it has room: then returns a promise. */
  #flushWhenReady(): void | Promise<void> {
    if (this.#transportReady) return this.#flush();
    this.#flushing ??= this.#transportRoom().then(() => {
      this.#flushing = undefined;
      this.#flush();
    });
    return this.#flushing;
  }

  async #transportRoom(): Promise<void> {
    await this.#lent?.catch(ignore);
    await this.#writer.ready.catch(ignore);
  }

  #flush(): void {
    if (this.#batch.size === 0 || this.#state === "ended") return;
    this.#writer.write(this.#batch.take()).catch(ignore);
  }

  /** Waits for `pending`, but no longer than the stream lives: abort and error must not wait for a stalled reader. */
  #untilEnd(pending: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      // A broken transport stream is told by #transportFailed, which may wait for the reason: so does this.
      pending.then(resolve, (error: unknown) => {
        if (this.#hooks.broken === undefined || (error instanceof ConecError && error.source !== "stream"))
          reject(error);
      });
    });
  }

  #transportFailed(thrown: unknown): void {
    const error = toConecError(thrown, "connection-lost", { source: "stream" });
    if (this.#state === "ended") return;
    if (error.source === "stream" && this.#hooks.broken !== undefined) this.#hooks.broken(error);
    else this.fail(error);
  }

  /** Marks the end of an unfinished stream, so that the transport ends it without a reset (docs/protocol.md). */
  #end(error: unknown, how?: "reset"): void {
    if (this.#state === "ended") return;
    const marked = this.#state === "closing";
    this.#state = "ended";
    this.#error = error;
    this.#batch.clear();
    this.#reject?.(error);
    this.#unblock?.();
    const reset = (): void => void this.#writer.abort(error).catch(ignore);
    if (how === "reset") return reset();
    if (!marked) {
      this.#writer.write(abortMarker).catch(ignore);
      this.#writer.close().catch(ignore);
    }
    const stop = unrefTimeout(lingerMs, reset);
    this.#writer.closed.then(stop, stop);
  }
}

/** Messages up to this long are copied into the batch; longer ones go to the transport as they are. */
const copiedBytes = 4096;
/** `tryWrite` fills the batch up to here while the transport is full. */
const maxBatchBytes = 65_536;
/** What `write` takes in before `desiredSize` falls to 0. */
const highWaterBytes = 65_536;
/** How long an ended stream may take to leave before it is reset. */
const lingerMs = 10_000;
