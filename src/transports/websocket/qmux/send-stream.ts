// SPDX-License-Identifier: Apache-2.0
import { ConecError, streamErrorCodeOf } from "../../../core/errors.ts";
import type { ByteWriter } from "../../../core/transport.ts";
import { SinkWriter } from "../../../streams/sink-writer.ts";
import type { ByteSink, SinkController } from "../../../streams/sink-writer.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { RecordWriter } from "./record-writer.ts";
import type { StreamHost } from "./stream-host.ts";
import type { StreamKind } from "./stream-ids.ts";

/** Chunks up to this size are copied, so that their `write` need not wait; larger ones belong to the stream meanwhile. */
const copiedChunkBytes = 2048;
const maxHeldBytes = 4096;

/** The sending half of a stream. It is opened, so has an id, when its first bytes are sent. */
export class SendStream implements ByteSink {
  id: number | undefined;
  readonly kind: StreamKind;
  /** The other half of a bidirectional stream that this end opens: it gets its id with this one. */
  readonly twin: ReceiveStream | undefined;
  readonly #host: StreamHost;
  #writable: WritableStream<Uint8Array> | undefined;
  #controller: SinkController | undefined;
  /** What the stream failed with before anybody held it. */
  #failure: ConecError | undefined;
  #done = false;
  #closing = false;
  /** Bytes sent, and how many the other end takes. */
  #offset = 0;
  #limit = 0;
  /** Copied bytes: the first `#heldBytes` of `#held`. */
  #held: Uint8Array | undefined;
  #heldBytes = 0;
  /** What is left of a large chunk; it comes behind the copied bytes. */
  #rest: Uint8Array | undefined;
  /** Settles the `write` or `close` in wait. */
  #waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #listensForAbort = false;

  constructor(host: StreamHost, kind: StreamKind, twin?: ReceiveStream) {
    this.#host = host;
    this.kind = kind;
    this.twin = twin;
  }

  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream<Uint8Array>(this));
  }

  /** A writer without a WritableStream, in place of {@link writable}. */
  lockWriter(): ByteWriter {
    return new SinkWriter(this);
  }

  /** How many bytes were sent. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether there is something to send that the other end's credit for this stream allows. */
  get isReady(): boolean {
    if (this.#done) return false;
    return this.#unsent > 0 ? this.#offset < this.#limit : this.#closing;
  }

  /** The stream has its id; the other end takes so many bytes of it. */
  open(id: number, limit: number): void {
    this.id = id;
    this.#limit = limit;
  }

  /** The other end takes so many bytes, since the stream began. */
  allow(limit: number): void {
    if (limit <= this.#limit) return;
    this.#limit = limit;
    if (this.isReady) this.#host.sendLater(this);
  }

  /**
   * Puts as much as it can into a record. `credit`: how many bytes the connection may send. Returns how many that were,
   * or undefined if the record has no room.
   */
  fillRecord(record: RecordWriter, credit: number): number | undefined {
    const id = this.id!;
    const room = record.roomForStream(id, this.#offset);
    if (room < 0 || (room === 0 && this.#unsent > 0)) return undefined;
    const length = Math.min(this.#unsent, room, credit, this.#limit - this.#offset);
    const fin = this.#closing && length === this.#unsent;
    if (length === 0 && !fin) return 0;
    record.addStream(id, this.#offset, this.#take(length), fin);
    this.#offset += length;
    if (fin) this.#end();
    if (fin || (this.#rest === undefined && !this.#closing)) this.#settle();
    return length;
  }

  /** The other end has asked to stop. */
  stop(code: number): void {
    if (this.#done) return;
    const error = new ConecError("cancelled", "The other end cancelled the stream", {
      source: "stream",
      remote: true,
      streamErrorCode: code,
    });
    this.#end();
    this.#host.reset(this, code);
    this.#controller?.error(error);
    this.#failure = error;
    this.#settle(error);
  }

  /** The connection has ended. */
  fail(error: ConecError): void {
    if (this.#done) return;
    this.#end();
    this.#failure = error;
    this.#controller?.error(error);
    this.#settle(error);
  }

  // What the stream that holds this one calls, as an underlying sink.

  start(controller: SinkController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.error(this.#failure);
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      const message = "Cannot write: the chunk is not a Uint8Array";
      const error = new ConecError("invalid-argument", message, { source: "stream" });
      this.abort(error);
      throw error;
    }
    if (chunk.length === 0 || this.#done) return undefined;
    const isCopied = chunk.length <= copiedChunkBytes && this.#heldBytes + chunk.length <= maxHeldBytes;
    if (isCopied) this.#hold(chunk);
    else this.#rest = chunk;
    this.#host.sendLater(this);
    return isCopied ? undefined : this.#wait();
  }

  close(): void | Promise<void> {
    if (this.#done) return undefined;
    this.#closing = true;
    this.#host.sendLater(this);
    return this.#wait();
  }

  abort(reason: unknown): void {
    if (this.#done) return;
    this.#end();
    this.#settle(reason);
    this.#host.reset(this, streamErrorCodeOf(reason) ?? 0);
  }

  get #unsent(): number {
    return this.#heldBytes + (this.#rest?.length ?? 0);
  }

  #hold(chunk: Uint8Array): void {
    const total = this.#heldBytes + chunk.length;
    if (this.#held === undefined || this.#held.length < total) {
      const larger = new Uint8Array(total <= smallHeldBytes ? smallHeldBytes : maxHeldBytes);
      if (this.#held !== undefined) larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(chunk, this.#heldBytes);
    this.#heldBytes = total;
  }

  /** The next so many unsent bytes. They are copied before anything is held again. */
  #take(length: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    const fromHeld = Math.min(length, this.#heldBytes);
    if (fromHeld > 0) {
      const held = this.#held!;
      parts.push(held.subarray(0, fromHeld));
      this.#heldBytes -= fromHeld;
      if (this.#heldBytes > 0) this.#held = held.subarray(fromHeld);
      else if (held.length > smallHeldBytes) this.#held = undefined; // an idle stream holds little
    }
    if (length > fromHeld) {
      const rest = this.#rest!;
      parts.push(rest.subarray(0, length - fromHeld));
      this.#rest = length - fromHeld === rest.length ? undefined : rest.subarray(length - fromHeld);
    }
    return parts;
  }

  /** A promise for the `write` or `close` in progress. An abort ends it: the stream waits for it otherwise. */
  #wait(): Promise<void> {
    if (!this.#listensForAbort) {
      this.#listensForAbort = true;
      const { signal } = this.#controller!;
      signal.addEventListener("abort", () => this.abort(signal.reason), { once: true });
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #settle(...error: [] | [unknown]): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error.length === 0) waiting?.resolve();
    else waiting?.reject(error[0]);
  }

  #end(): void {
    this.#done = true;
    this.#rest = undefined;
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#host.sendEnded(this);
  }
}

const smallHeldBytes = 64;
