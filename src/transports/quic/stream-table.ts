import type { ConecError } from "../../core/errors.ts";
import type { Engine } from "./binding.ts";
import { BlockedStreams } from "./blocked-streams.ts";
import { ReceiveBudget } from "./receive-budget.ts";
import { ReceiveStream } from "./receive-stream.ts";
import { SendStream } from "./send-stream.ts";
import { Slab } from "./slab.ts";
import { plainErrorCodes } from "./stream-error-codes.ts";
import type { StreamErrorCodes } from "./stream-error-codes.ts";
import type { StreamHost } from "./stream-host.ts";

export interface StreamTableOptions {
  engine: Engine;
  isServer: boolean;
  /** See {@link ReceiveBudget}. */
  streamWindowBytes: number;
  limits: ConnectionLimits;
  connection: StreamTableOwner;
}

/** What one connection may cost. */
export interface ConnectionLimits {
  /** Streams of the other end that are open at once; a bidirectional one counts for each of its directions. */
  maxIncomingStreams: number;
  /** Received bytes that nobody has read yet, in all streams. */
  maxUnreadBytes: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxIncomingStreams: 8192,
  maxUnreadBytes: 64 * 1024 * 1024,
};

/** The connection that the streams belong to. */
export interface StreamTableOwner {
  /** Monotonic time of this turn. */
  readonly nowMs: number;
  flushSoon(): void;
  acknowledgeSoon(): void;
  flushNow(): void;
  /** {@link StreamTable.deadlineMs} has changed. */
  armTimer(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  /** The other end has gone over a limit. The connection ends. */
  onViolation(what: string): void;
}

/** With more open streams than this, stops are looked for at this interval instead of every turn. */
const fewStreams = 64;
const stopSweepMs = 50;

/** With more waiting readers than this it is cheaper to ask the engine which streams have something. */
const fewReaders = 8;

/** What is lost of a stream that is being read when the other end aborts it: about what comes in within one turn. */
const droppedByAbortBytes = 64 * 1024;

/** The streams of one connection: moves bytes between them and the engine, once a turn. */
export class StreamTable implements StreamHost {
  readonly engine: Engine;
  readonly slab = new Slab();
  errorCodes: StreamErrorCodes = plainErrorCodes;
  readonly #connection: StreamTableOwner;
  readonly #isServer: boolean;
  readonly #limits: ConnectionLimits;
  readonly #streamWindowBytes: number;
  readonly #budget: ReceiveBudget;

  readonly #sending = new Map<number, SendStream>();
  readonly #receiving = new Map<number, ReceiveStream>();
  /** The other end's streams that were cancelled here: what still comes is thrown away. */
  readonly #discarded = new Set<number>();
  readonly #next: { bidirectional: number; unidirectional: number };
  /** Directions of the other end's streams that are open. */
  #incoming = 0;

  readonly #toHandOver = new Set<SendStream>();
  readonly #blocked = new BlockedStreams();
  #waitingReaders = new Set<ReceiveStream>();
  readonly #lateFins = new Map<SendStream, number>();
  #lastSweepMs = -Infinity;
  #sweepDueMs = Infinity;
  #ended = false;

  constructor({ engine, isServer, streamWindowBytes, limits, connection }: StreamTableOptions) {
    this.engine = engine;
    this.#isServer = isServer;
    this.#limits = limits;
    this.#streamWindowBytes = streamWindowBytes;
    this.#budget = new ReceiveBudget({ streamWindowBytes, unreadBytes: limits.maxUnreadBytes });
    this.#connection = connection;
    this.#next = isServer ? { bidirectional: 1, unidirectional: 3 } : { bidirectional: 0, unidirectional: 2 };
  }

  /** `preamble`: see {@link SendStream}. */
  openBidirectional(preamble?: Uint8Array): { receive: ReceiveStream; send: SendStream } {
    const id = this.#next.bidirectional;
    this.#next.bidirectional += 4;
    return { receive: this.#addReceiving(id), send: this.#addSending(id, false, preamble) };
  }

  openUnidirectional(preamble?: Uint8Array): SendStream {
    const id = this.#next.unidirectional;
    this.#next.unidirectional += 4;
    return this.#addSending(id, false, preamble);
  }

  /** A datagram has come in. */
  received(bytes: number): void {
    this.#budget.received(bytes);
  }

  /** Datagrams have been taken in (`heard`), or time has passed. */
  process(heard: boolean): void {
    this.#readStreams();
    this.#blocked.retry();
    if (heard || this.nowMs >= this.#sweepDueMs) this.#sweepStopped();
    if (this.#budget.isExceeded(() => this.#countUnread())) {
      this.#connection.onViolation("more data than its streams account for");
    }
  }

  /** Packets are about to be built. */
  handOver(): void {
    if (this.#toHandOver.size === 0) return;
    for (const stream of this.#toHandOver) stream.handOver();
    this.#toHandOver.clear();
  }

  /** When {@link onTime} wants to be called next. */
  get deadlineMs(): number {
    let dueMs = this.#sweepDueMs;
    for (const atMs of this.#lateFins.values()) dueMs = Math.min(dueMs, atMs);
    return dueMs;
  }

  onTime(): void {
    for (const [stream, atMs] of this.#lateFins) {
      if (this.nowMs < atMs) continue;
      this.#lateFins.delete(stream);
      stream.sendBareFin();
    }
  }

  /** Fails all streams but one. What still comes in on them is thrown away, and the other end is told nothing. */
  failAllBut(id: number, error: ConecError): void {
    for (const stream of this.#sending.values()) if (stream.id !== id) stream.fail(error);
    for (const stream of this.#receiving.values()) {
      if (stream.id === id) continue;
      stream.fail(error);
      this.#discarded.add(stream.id);
    }
  }

  /** Bytes came in outside of streams and are not kept. */
  thrownAway(bytes: number): void {
    this.#budget.dropped(bytes);
  }

  /** The connection has ended, and all streams with it. */
  end(error: ConecError): void {
    this.#ended = true;
    for (const stream of this.#sending.values()) stream.fail(error);
    for (const stream of this.#receiving.values()) stream.fail(error);
    this.#discarded.clear();
    this.#toHandOver.clear();
  }

  // What streams ask for.

  get nowMs(): number {
    return this.#connection.nowMs;
  }

  flushSoon(): void {
    this.#connection.flushSoon();
  }

  acknowledgeSoon(): void {
    this.#connection.acknowledgeSoon();
  }

  flushNow(): void {
    this.#connection.flushNow();
  }

  handOverLater(stream: SendStream): void {
    this.#toHandOver.add(stream);
    this.#connection.flushSoon();
  }

  retryLater(stream: SendStream): void {
    this.#blocked.add(stream);
  }

  finLater(stream: SendStream, atMs: number): void {
    this.#lateFins.set(stream, atMs);
    this.#connection.armTimer();
  }

  readLater(stream: ReceiveStream): void {
    this.#waitingReaders.add(stream);
  }

  delivered(bytes: number): void {
    this.#budget.delivered(bytes);
  }

  sendEnded(stream: SendStream): void {
    if (this.#sending.delete(stream.id) && this.#isPeers(stream.id)) this.#incoming -= 1;
    this.#blocked.delete(stream);
    this.#lateFins.delete(stream);
  }

  receiveEnded(stream: ReceiveStream, how: "complete" | "cancelled" | "aborted"): void {
    if (this.#receiving.delete(stream.id) && this.#isPeers(stream.id)) this.#incoming -= 1;
    this.#waitingReaders.delete(stream);
    if (how === "complete") return;
    this.#budget.dropped(how === "cancelled" || stream.isUnread ? this.#streamWindowBytes : droppedByAbortBytes);
    if (how === "cancelled") this.#discarded.add(stream.id);
  }

  // Once a turn.

  #readStreams(): void {
    if (this.#waitingReaders.size > 0 && this.#waitingReaders.size <= fewReaders) {
      const readers = this.#waitingReaders;
      this.#waitingReaders = new Set();
      for (const stream of readers) stream.read();
    }
    if (!this.engine.isReadable()) return;
    for (const id of this.engine.readable()) {
      const stream = this.#receiving.get(id);
      if (stream !== undefined) {
        this.#waitingReaders.delete(stream);
        stream.onReadable();
      } else if (this.#discarded.has(id)) {
        this.#discard(id);
      } else if (this.#isPeers(id)) {
        this.#accept(id);
      }
      if (this.#ended) return;
    }
  }

  #accept(id: number): void {
    if (this.#incoming >= this.#limits.maxIncomingStreams) {
      this.#connection.onViolation("too many streams open at once");
      return;
    }
    const receive = this.#addReceiving(id);
    const send = (id & 2) === 0 ? this.#addSending(id, true) : undefined;
    this.#incoming += send === undefined ? 1 : 2;
    this.#connection.onStream(receive, send);
    receive.onReadable();
  }

  #discard(id: number): void {
    try {
      for (;;) {
        const result = this.engine.streamReceive(id, this.slab.room());
        if (result === null) return;
        this.#budget.delivered(result[0]);
        if (result[1]) break;
      }
    } catch {
      // Reset by the other end, as it was asked to.
    }
    this.#discarded.delete(id);
  }

  /** A stop by the other end shows only when the stream is asked about. */
  #sweepStopped(): void {
    if (this.#sending.size > fewStreams && this.nowMs - this.#lastSweepMs < stopSweepMs) {
      this.#sweepDueMs = this.#lastSweepMs + stopSweepMs;
      return;
    }
    this.#lastSweepMs = this.nowMs;
    this.#sweepDueMs = Infinity;
    for (const stream of this.#sending.values()) stream.checkStopped();
  }

  #countUnread(): number {
    let count = 0;
    for (const stream of this.#receiving.values()) if (stream.isUnread) count += 1;
    return count;
  }

  #isPeers(id: number): boolean {
    return ((id & 1) === 1) !== this.#isServer;
  }

  #addSending(id: number, opened: boolean, preamble?: Uint8Array): SendStream {
    const stream = new SendStream(this, id, opened, preamble);
    this.#sending.set(id, stream);
    return stream;
  }

  #addReceiving(id: number): ReceiveStream {
    const stream = new ReceiveStream(this, id);
    this.#receiving.set(id, stream);
    return stream;
  }
}
