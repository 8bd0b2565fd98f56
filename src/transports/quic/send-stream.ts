// SPDX-License-Identifier: Apache-2.0
import { ConecError, toConecError } from "../../core/errors.ts";
import { SinkWriter } from "../../streams/sink-writer.ts";
import type { ByteWriter } from "../../core/transport.ts";
import type { ByteSink, SinkController } from "../../streams/sink-writer.ts";
import type { StreamHost } from "./stream-host.ts";
import { parseStreamFault, streamLimitReached } from "./stream-fault.ts";

/** Chunks up to this size are copied and leave with the next packets; larger ones are given to the engine at once. */
const copiedChunkBytes = 2048;
const maxPendingBytes = 4096;
const smallPendingBytes = 64;

/** How long a FIN that has no byte to travel with stays behind the data before it. See {@link SendStream}. */
const bareFinDelayMs = 40;

/**
 * The sending half of a stream: a WritableStream over the engine's `streamSend`.
 *
 * Two faults of the engine shape it. It takes part of a chunk and forgets the FIN that came with it, so the rest is
 * offered again with the FIN. And it forgets a stream once all its data is acknowledged, even if an empty FIN frame is
 * still unsent or lost, so every FIN should travel with at least one byte: the last byte written is held back until
 * the packets of this turn are built, by when a `close` that follows the last `write` has been called. A `close` that
 * comes later finds nothing to send with the FIN; it then waits a moment, until the data is most likely acknowledged.
 */
export class SendStream implements ByteSink {
  readonly id: number;
  readonly #host: StreamHost;
  #writable: WritableStream<Uint8Array> | undefined;
  #controller: SinkController | undefined;
  /** What the stream failed with before anybody held it. */
  #failure: ConecError | undefined;
  /** Whether the engine knows the stream. */
  #opened: boolean;
  #done = false;
  /** Copied bytes that the engine does not have yet: the first `#pendingBytes` of `#buffer`. */
  #buffer: Buffer | undefined;
  #pendingBytes = 0;
  /** What is left of a chunk that the engine has not taken in full; it still belongs to the writer. */
  #rest: Uint8Array | undefined;
  #closing = false;
  /** Settles the `write` or `close` in wait. */
  #waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #listensForAbort = false;
  #lastDataMs = -Infinity;
  #bytesTaken = 0;

  /** `preamble` (at most 64 bytes) leaves with the first bytes written, or with the FIN. */
  constructor(host: StreamHost, id: number, opened: boolean, preamble?: Uint8Array) {
    this.#host = host;
    this.id = id;
    this.#opened = opened;
    if (preamble !== undefined) {
      this.#buffer = Buffer.alloc(smallPendingBytes);
      this.#buffer.set(preamble);
      this.#pendingBytes = preamble.length;
    }
  }

  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream<Uint8Array>(this));
  }

  /** A writer without a WritableStream, in place of {@link writable}. */
  lockWriter(): ByteWriter {
    return new SinkWriter(this);
  }

  /** The packets of this turn are about to be built. */
  handOver(): void {
    if (this.#done || this.#rest !== undefined || this.#pendingBytes === 0) return;
    this.#attempt(() => {
      if (!this.#sendPending(this.#closing)) this.#host.retryLater(this);
      else if (this.#closing) this.#finish();
    });
  }

  /** The engine may take more now. Returns how many bytes it took, or undefined when the stream no longer waits. */
  retry(): number | undefined {
    if (this.#done) return undefined;
    const before = this.#bytesTaken;
    const sent =
      this.#rest !== undefined
        ? this.#sendRest()
        : this.#attempt(() => {
            if (this.#sendPending(this.#closing) && this.#closing) this.#finish();
          }) && this.#pendingBytes === 0;
    return sent || this.#done ? undefined : this.#bytesTaken - before;
  }

  /** The moment for a FIN without data has come. */
  sendBareFin(): void {
    if (this.#done || !this.#closing || this.#pendingBytes > 0) return;
    this.#attempt(() => {
      this.#opened = true;
      if (this.#host.engine.streamFinish(this.id)) this.#finish();
      else this.#host.finLater(this, this.#host.nowMs + bareFinDelayMs);
    });
  }

  /** Looks whether the other end has asked to stop. */
  checkStopped(): void {
    if (this.#done || !this.#opened) return;
    this.#attempt(() => void this.#host.engine.streamCapacity(this.id));
  }

  /** The connection has ended. The other end learns it from a reset, if there is a reason for one. */
  fail(error: ConecError, resetReason?: Error): void {
    if (this.#done) return;
    if (resetReason !== undefined && this.#opened) this.#reset(resetReason);
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
      const error = new ConecError("invalid-argument", "Cannot write: the chunk is not a Uint8Array", {
        source: "stream",
      });
      this.abort(error);
      throw error;
    }
    if (chunk.length === 0 || this.#done) return undefined;
    if (chunk.length <= copiedChunkBytes && this.#pendingBytes + chunk.length <= maxPendingBytes) {
      this.#hold(chunk);
      return undefined;
    }
    this.#rest = chunk;
    if (this.#sendRest() || this.#done) return undefined;
    this.#host.retryLater(this);
    return this.#wait();
  }

  close(): void | Promise<void> {
    if (this.#done) return undefined;
    this.#closing = true;
    const dueMs = this.#lastDataMs + bareFinDelayMs;
    if (this.#pendingBytes > 0) this.#host.handOverLater(this);
    else if (performance.now() < dueMs) this.#host.finLater(this, dueMs);
    else this.sendBareFin();
    return this.#done ? undefined : this.#wait();
  }

  abort(reason: unknown): void {
    if (this.#done) return;
    const opened = this.#opened;
    this.#end();
    this.#settle(reason);
    if (!opened) return;
    this.#reset(reason);
    this.#host.flushSoon();
  }

  #reset(reason: unknown): void {
    try {
      this.#host.engine.streamReset(this.id, this.#host.errorCodes.encode(reason));
    } catch (error) {
      if (!parseStreamFault(error)) throw error;
    }
  }

  /**
   * True when the engine has everything but what is held back for the FIN. The writer may then use its chunk again.
   */
  #sendRest(): boolean {
    return this.#attempt(() => {
      if (!this.#sendPending(false)) return;
      let rest = this.#rest as Uint8Array;
      if (rest.length > copiedChunkBytes) {
        rest = rest.subarray(this.#send(rest.subarray(0, -1), false));
        this.#rest = rest;
        if (rest.length > 1) return;
      }
      this.#rest = undefined;
      this.#hold(rest);
      this.#settle();
    })
      ? this.#rest === undefined
      : true;
  }

  #sendPending(fin: boolean): boolean {
    if (this.#pendingBytes === 0) return true;
    const buffer = this.#buffer as Buffer;
    const taken = this.#send(buffer.subarray(0, this.#pendingBytes), fin);
    if (taken > 0) buffer.copyWithin(0, taken, this.#pendingBytes);
    this.#pendingBytes -= taken;
    if (this.#pendingBytes > 0) return false;
    if (buffer.length > smallPendingBytes) this.#buffer = undefined; // an idle stream holds little
    return true;
  }

  #send(bytes: Uint8Array, fin: boolean): number {
    let taken = 0;
    try {
      taken = this.#host.engine.streamSend(this.id, bytes, fin);
    } catch (error) {
      if (streamLimitReached(error)) return 0;
      throw error;
    }
    this.#opened = true;
    if (taken > 0) {
      this.#lastDataMs = this.#host.nowMs;
      this.#bytesTaken += taken;
      this.#host.given(taken);
    }
    this.#host.flushSoon();
    return taken;
  }

  #hold(bytes: Uint8Array): void {
    const total = this.#pendingBytes + bytes.length;
    if (this.#buffer === undefined || this.#buffer.length < total) {
      const larger = Buffer.allocUnsafe(total <= smallPendingBytes ? smallPendingBytes : maxPendingBytes);
      this.#buffer?.copy(larger, 0, 0, this.#pendingBytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#pendingBytes);
    this.#pendingBytes = total;
    this.#host.handOverLater(this);
  }

  /** Runs a step on the engine. False when it came out that the stream is over. */
  #attempt(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (thrown) {
      const fault = parseStreamFault(thrown);
      const error =
        fault === undefined
          ? toConecError(thrown, "internal", { source: "stream" })
          : new ConecError("cancelled", "The other end cancelled the stream", {
              source: "stream",
              remote: true,
              streamErrorCode: this.#host.errorCodes.decode(fault.wireCode ?? 0),
            });
      this.fail(error);
      return false;
    }
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

  #finish(): void {
    this.#end();
    this.#settle();
    this.#host.flushSoon();
  }

  #end(): void {
    this.#done = true;
    this.#rest = undefined;
    this.#buffer = undefined;
    this.#pendingBytes = 0;
    this.#host.sendEnded(this);
  }
}
