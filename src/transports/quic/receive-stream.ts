// SPDX-License-Identifier: Apache-2.0
import { ConecError, toConecError } from "../../core/errors.ts";
import { minDatagramBytes } from "./config.ts";
import { parseStreamFault } from "./stream-fault.ts";
import { SourceReader } from "../../streams/source-reader.ts";
import type { ByteReader } from "../../core/transport.ts";
import type { ByteProducer, SourceController } from "../../streams/source-reader.ts";
import type { StreamHost } from "./stream-host.ts";

/**
 * The receiving half of a stream: a ReadableStream that reads the engine only when its reader asks. What nobody asks
 * for stays in the engine, and so its flow-control window stays shut: that is the backpressure.
 */
export class ReceiveStream implements ByteProducer {
  readonly id: number;
  readonly #host: StreamHost;
  #readable: ReadableStream<Uint8Array> | undefined;
  #controller: SourceController | undefined;
  /** What the stream failed with before anybody held it. */
  #failure: ConecError | undefined;
  #done = false;
  /** Whether the engine may have bytes. */
  #ready = false;
  #hadData = false;
  /** Whether a reader waits. */
  #wanted = false;
  #bytesRead = 0;

  constructor(host: StreamHost, id: number) {
    this.#host = host;
    this.id = id;
  }

  get readable(): ReadableStream<Uint8Array> {
    return (this.#readable ??= new ReadableStream<Uint8Array>(this, { highWaterMark: 0 }));
  }

  /** A reader without a ReadableStream, in place of {@link readable}. */
  lockReader(): ByteReader {
    return new SourceReader(this);
  }

  /** The engine has bytes, a FIN or a reset for this stream. */
  onReadable(): void {
    this.#ready = true;
    this.#hadData = true;
    if (this.#wanted) this.read();
  }

  /** Reads for a reader that waits, if there is anything. */
  read(): void {
    if (this.#done || !this.#wanted) return;
    if (this.#host.isTurnOver) return this.#host.readLater();
    const room = this.#host.slab.room();
    let result: [number, boolean] | null;
    try {
      result = this.#host.engine.streamReceive(this.id, room);
    } catch (thrown) {
      this.#onFault(thrown);
      return;
    }
    const [length, fin] = result ?? [0, false];
    if (length === 0 && !fin) {
      this.#ready = false;
      return;
    }
    this.#ready = !fin && length === room.length;
    this.#wanted = false;
    if (fin) this.#end("complete");
    if (length > 0) {
      this.#bytesRead += length;
      this.#host.delivered(this, length);
      this.#controller?.enqueue(this.#host.slab.take(length));
    }
    if (fin) this.#controller?.close();
    if (length < fewBytes) this.#host.acknowledgeLater();
    else this.#host.acknowledgeSoon();
  }

  /** The connection has ended. */
  fail(error: ConecError): void {
    if (this.#done) return;
    this.#end("aborted");
    this.#failure = error;
    this.#controller?.error(error);
  }

  /** Whether a reader waits. */
  get isWanted(): boolean {
    return this.#wanted;
  }

  /** Whether the engine holds bytes that nobody asks for. */
  get isUnread(): boolean {
    return this.#ready && !this.#wanted;
  }

  /** Whether anything of it has come in. */
  get hadData(): boolean {
    return this.#hadData;
  }

  /** How many bytes were handed to a reader so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  // What the stream that holds this one calls, as an underlying source.

  start(controller: SourceController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.error(this.#failure);
  }

  pull(): void {
    if (this.#done) return;
    this.#wanted = true;
    if (this.#ready) this.read();
  }

  recycle(chunk: Uint8Array): void {
    this.#host.slab.recycle(chunk);
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    // In a packet of its own: where an acknowledgement and STOP_SENDING arrive together, the engine at the other end
    // may forget the stream before its error code was looked at.
    this.#host.flushNow();
    this.#end("cancelled");
    try {
      this.#host.engine.streamStop(this.id, this.#host.errorCodes.encode(reason));
    } catch (thrown) {
      if (!parseStreamFault(thrown)) throw thrown;
    }
    this.#host.flushSoon();
  }

  #onFault(thrown: unknown): void {
    const fault = parseStreamFault(thrown);
    if (fault === undefined) {
      this.fail(toConecError(thrown, "internal", { source: "stream" }));
      return;
    }
    this.fail(
      new ConecError("aborted", "The other end aborted the stream", {
        source: "stream",
        remote: true,
        streamErrorCode: this.#host.errorCodes.decode(fault.wireCode ?? 0),
      }),
    );
  }

  #end(how: "complete" | "cancelled" | "aborted"): void {
    this.#done = true;
    this.#host.receiveEnded(this, how);
  }
}

/** Who is told only later that less than this was read can go on sending: the window has not changed much. */
const fewBytes = minDatagramBytes;
