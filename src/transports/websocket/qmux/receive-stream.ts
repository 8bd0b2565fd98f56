// SPDX-License-Identifier: Apache-2.0
import { ConecError, streamErrorCodeOf } from "../../../core/errors.ts";
import type { ByteReader } from "../../../core/transport.ts";
import { SourceReader } from "../../../streams/source-reader.ts";
import type { ByteProducer, SourceController } from "../../../streams/source-reader.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { ReceiveWindow } from "./receive-window.ts";
import type { StreamHost } from "./stream-host.ts";

/**
 * The receiving half of a stream. What nobody has asked for waits in its queue and is not counted as read, so the other
 * end may send no more than a window of it: that is the backpressure.
 */
export class ReceiveStream implements ByteProducer {
  #id: number | undefined;
  readonly window: ReceiveWindow;
  readonly #host: StreamHost;
  readonly #queue = new ChunkQueue();
  #readable: ReadableStream<Uint8Array> | undefined;
  #controller: SourceController | undefined;
  /** What the stream failed with before anybody held it. */
  #failure: ConecError | undefined;
  /** Whether a reader waits. */
  #wanted = false;
  /** The reader has had the end, or does not want it. */
  #done = false;
  /** The other end has said its last word. */
  #isComplete = false;
  #stopCode: number | undefined;

  constructor(host: StreamHost, window: ReceiveWindow, id?: number) {
    this.#host = host;
    this.window = window;
    this.#id = id;
  }

  /** Undefined until the stream is opened, if that is up to this end. */
  get id(): number | undefined {
    return this.#id;
  }

  get readable(): ReadableStream<Uint8Array> {
    return (this.#readable ??= new ReadableStream<Uint8Array>(this, { highWaterMark: 0 }));
  }

  /** A reader without a ReadableStream, in place of {@link readable}. */
  lockReader(): ByteReader {
    return new SourceReader(this);
  }

  /** This end has opened the stream. */
  open(id: number): void {
    this.#id = id;
    if (this.#stopCode !== undefined) this.#host.stop(this, this.#stopCode);
  }

  /** Whether more may come in. */
  get isOpen(): boolean {
    return !this.#isComplete;
  }

  /** Bytes came in, in order and within the window; `fin`: the last ones. */
  receive(bytes: Uint8Array, fin: boolean): void {
    this.#isComplete = fin;
    if (this.#done) {
      this.#host.consumed(this, bytes.length);
      if (fin) this.#host.receiveEnded(this);
      return;
    }
    if (bytes.length > 0) this.#queue.push(bytes);
    this.#deliver();
  }

  /** The other end has aborted the stream. */
  reset(code: number): void {
    this.#isComplete = true;
    if (this.#done) {
      this.#host.receiveEnded(this);
      return;
    }
    this.#fail(
      new ConecError("aborted", "The other end aborted the stream", {
        source: "stream",
        remote: true,
        streamErrorCode: code,
      }),
    );
  }

  /** The connection has ended. */
  fail(error: ConecError): void {
    this.#isComplete = true;
    if (!this.#done) this.#fail(error);
  }

  // What the stream that holds this one calls, as an underlying source.

  start(controller: SourceController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.error(this.#failure);
    else this.#deliver();
  }

  pull(): void {
    if (this.#done) return;
    this.#wanted = true;
    this.#deliver();
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#host.consumed(this, this.#queue.clear());
    this.#stopCode = streamErrorCodeOf(reason) ?? 0;
    if (this.#isComplete) this.#host.receiveEnded(this);
    else if (this.#id !== undefined) this.#host.stop(this, this.#stopCode);
  }

  #deliver(): void {
    if (this.#controller === undefined) return;
    if (this.#wanted && this.#queue.bytes > 0) {
      this.#wanted = false;
      const chunk = this.#queue.shift()!;
      this.#host.consumed(this, chunk.length);
      this.#controller.enqueue(chunk);
    }
    if (this.#isComplete && this.#queue.bytes === 0 && !this.#done) {
      this.#done = true;
      this.#controller.close();
      this.#host.receiveEnded(this);
    }
  }

  #fail(error: ConecError): void {
    this.#done = true;
    this.#failure = error;
    this.#host.consumed(this, this.#queue.clear());
    this.#controller?.error(error);
    this.#host.receiveEnded(this);
  }
}
