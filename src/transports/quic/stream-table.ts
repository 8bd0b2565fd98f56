// SPDX-License-Identifier: Apache-2.0
/** Longer than most: the states that a stream of the engine can be in, all of them. */
import type { ConecError } from "../../core/errors.ts";
import type { Engine } from "./binding.ts";
import { BlockedStreams } from "./blocked-streams.ts";
import { initialStreamWindowBytes } from "./config.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { IncomingStreams } from "./incoming-streams.ts";
import type { StreamProblem } from "./incoming-streams.ts";
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

/** The connection that the streams belong to. */
export interface StreamTableOwner {
  /** Monotonic time of this turn. */
  readonly nowMs: number;
  /** Another turn is needed, even if nothing comes in. */
  processSoon(): void;
  flushSoon(): void;
  acknowledgeSoon(): void;
  acknowledgeLater(): void;
  flushNow(): void;
  /** {@link StreamTable.deadlineMs} has changed. */
  armTimer(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  /** The connection ends. */
  onStreamProblem(problem: StreamProblem): void;
}

/** With more open streams than this, stops are looked for at this interval instead of every turn. */
const fewStreams = 64;
const stopSweepMs = 50;

/** What one connection gives to its readers before others have their turn. */
const bytesPerTurn = 256 * 1024;

/** What is lost of a stream that is being read when the other end aborts it: about what comes in within one turn. */
const droppedByAbortBytes = 64 * 1024;

/** One for all connections, most of which have nothing to read at a time. */
const slab = new Slab();

/** The streams of one connection: moves bytes between them and the engine, once a turn. */
export class StreamTable implements StreamHost {
  readonly engine: Engine;
  readonly slab = slab;
  errorCodes: StreamErrorCodes = plainErrorCodes;
  readonly #connection: StreamTableOwner;
  readonly #isServer: boolean;
  readonly #streamWindowBytes: number;
  readonly #budget: ReceiveBudget;

  readonly #sending = new Map<number, SendStream>();
  readonly #receiving = new Map<number, ReceiveStream>();
  /** The other end's streams that were cancelled here: what still comes is thrown away. */
  readonly #discarded = new Set<number>();
  readonly #next: { bidirectional: number; unidirectional: number };
  readonly #incoming: IncomingStreams;

  readonly #toHandOver = new Set<SendStream>();
  readonly #blocked = new BlockedStreams();
  /** The one that was read last. */
  #latest: ReceiveStream | undefined;
  /** The engine was not asked in the last turn which streams have something. */
  #isAskedLater = false;
  readonly #lateFins = new Map<SendStream, number>();
  /** Bytes that were given to readers in this turn. */
  #turnBytes = 0;
  #lastSweepMs = -Infinity;
  #sweepDueMs = Infinity;
  /** This end fails its streams by itself. */
  #failing = false;
  #ended = false;

  constructor({ engine, isServer, streamWindowBytes, limits, connection }: StreamTableOptions) {
    this.engine = engine;
    this.#isServer = isServer;
    this.#incoming = new IncomingStreams(limits);
    this.#streamWindowBytes = streamWindowBytes;
    this.#budget = new ReceiveBudget({ unreadBytes: limits.maxUnreadBytes });
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
    this.#turnBytes = 0;
    this.#readStreams();
    this.#blocked.retry();
    if (heard || this.nowMs >= this.#sweepDueMs) this.#sweepStopped();
    if (this.#isOverBudget()) {
      this.#connection.onStreamProblem({ violation: "data", what: "more data than its streams account for" });
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

  /**
   * Fails all streams but these. What still comes in on them is thrown away.
   *
   * @param resetReason what the sending halves are reset with; undefined: the other end is told nothing
   */
  failAllBut(kept: ReadonlySet<number>, error: ConecError, resetReason?: Error): void {
    this.#failing = true;
    for (const stream of this.#sending.values()) if (!kept.has(stream.id)) stream.fail(error, resetReason);
    for (const stream of this.#receiving.values()) {
      if (kept.has(stream.id)) continue;
      stream.fail(error);
      this.#discarded.add(stream.id);
    }
    this.#failing = false;
  }

  /** Bytes came in outside of streams and are not kept. */
  thrownAway(bytes: number): void {
    this.#budget.thrownAway(bytes);
  }

  /** To be called every few thousand packets. */
  settle(): void {
    const { recvBytes, recv, sent } = this.engine.stats();
    this.#budget.settle({ bytesReceived: recvBytes, packetsReceived: recv, packetsSent: sent });
  }

  /** The connection has ended, and all streams with it. */
  end(error: ConecError): void {
    this.#ended = true;
    this.#failing = true;
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

  acknowledgeLater(): void {
    this.#connection.acknowledgeLater();
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

  get isTurnOver(): boolean {
    return this.#turnBytes >= bytesPerTurn;
  }

  readLater(): void {
    this.#connection.processSoon();
  }

  delivered(stream: ReceiveStream, bytes: number): void {
    this.#latest = stream;
    this.#turnBytes += bytes;
    this.#budget.delivered(bytes);
  }

  given(bytes: number): void {
    this.#budget.given(bytes);
  }

  sendEnded(stream: SendStream): void {
    if (this.#sending.delete(stream.id) && this.#isPeers(stream.id)) this.#incoming.sendEnded();
    this.#blocked.delete(stream);
    this.#lateFins.delete(stream);
  }

  receiveEnded(stream: ReceiveStream, how: "complete" | "cancelled" | "aborted"): void {
    if (this.#latest === stream) this.#latest = undefined;
    if (this.#receiving.delete(stream.id) && this.#isPeers(stream.id)) {
      const problem = this.#incoming.receiveEnded(this.#failing ? "complete" : how, this.nowMs);
      if (problem !== undefined) this.#connection.onStreamProblem(problem);
    }
    if (how === "complete") return;
    const cancelled = how === "cancelled";
    this.#budget.dropped(cancelled || stream.isUnread ? this.#streamWindowBytes : droppedByAbortBytes, cancelled);
    if (cancelled) this.#discarded.add(stream.id);
  }

  // Once a turn.

  /** The engine is asked what it has taken only when that matters: it takes microseconds. */
  #isOverBudget(): boolean {
    const countWaiting = () => this.#countWaiting();
    if (!this.#budget.isExceeded(countWaiting)) return false;
    this.settle();
    return this.#budget.isExceeded(countWaiting);
  }

  #readStreams(): void {
    if (!this.engine.isReadable()) return;
    // Which streams they are takes longer to ask than to read the one that it most likely is.
    const latest = this.#latest;
    if (latest?.isWanted === true) {
      latest.onReadable();
      if (!this.engine.isReadable()) return;
      // Its reader comes back for the rest before the next turn; others wait for no more than one.
      if (latest.isUnread && !this.#isAskedLater) {
        this.#isAskedLater = true;
        this.#connection.processSoon();
        return;
      }
    }
    this.#isAskedLater = false;
    const opened: number[] = [];
    for (const id of this.engine.readable()) {
      const stream = this.#receiving.get(id);
      if (stream !== undefined) {
        stream.onReadable();
      } else if (this.#discarded.has(id)) {
        this.#discard(id);
      } else if (this.#isPeers(id)) {
        opened.push(id);
      }
      if (this.#ended) return;
    }
    // Last, since control streams may say what they are.
    this.#incoming.startTurn();
    for (const id of opened) {
      if (this.#incoming.isTurnOver) return this.#connection.processSoon();
      this.#accept(id);
      if (this.#ended) return;
    }
  }

  #accept(id: number): void {
    const isBidirectional = (id & 2) === 0;
    const problem = this.#incoming.opened(isBidirectional);
    if (problem !== undefined) {
      this.#connection.onStreamProblem(problem);
      return;
    }
    this.#budget.opened();
    const receive = this.#addReceiving(id);
    const send = isBidirectional ? this.#addSending(id, true) : undefined;
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

  /**
   * What may wait in streams: because nobody reads them, or because a packet is missing before it. At most their windows,
   * which grow only while they are read.
   */
  #countWaiting(): number {
    let bytes = 0;
    for (const stream of this.#receiving.values()) {
      if (!stream.hadData) continue;
      bytes += stream.bytesRead < initialStreamWindowBytes ? initialStreamWindowBytes : this.#streamWindowBytes;
    }
    return bytes;
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
