import { randomBytes } from "node:crypto";

import { ConecError } from "../../core/errors.ts";
import type { CloseInfo, ConnectionStats } from "../../core/transport.ts";
import type { Engine } from "./binding.ts";
import { endOf } from "./connection-end.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { PathMtu } from "./path-mtu.ts";
import { decodePathProbe, encodePathProbe, pathProbeFirstByte } from "./path-probe.ts";
import { ReceiveBudget } from "./receive-budget.ts";
import { ReceiveStream } from "./receive-stream.ts";
import { SendStream } from "./send-stream.ts";
import { Slab } from "./slab.ts";
import type { StreamHost } from "./stream-host.ts";
import type { TurnTaker, UdpAddress, UdpEndpoint } from "./udp-endpoint.ts";

export interface DriverOptions {
  engine: Engine;
  endpoint: UdpEndpoint;
  role: "client" | "server";
  /** Undefined on a connected socket. */
  peer: UdpAddress | undefined;
  /** Datagram sizes that may be tried on this path, above 1200. */
  datagramCandidates: readonly number[];
  /** See {@link ReceiveBudget}. */
  streamWindowBytes: number;
  /** Undefined: this end leaves it to the other one. */
  keepAliveIntervalMs: number | undefined;
  limits: ConnectionLimits;
  events: DriverEvents;
}

/** What one connection may cost. */
export interface ConnectionLimits {
  /** Streams of the other end that are open at once. */
  maxIncomingStreams: number;
  /** Received bytes that nobody has read yet, in all streams. */
  maxUnreadBytes: number;
}

export interface DriverEvents {
  /** The handshake is complete. Throws to refuse. */
  onEstablished(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  /** Once; every stream has failed by then. */
  onEnd(end: ConnectionEnd): void;
  /** Once, after `onEnd`: nothing is sent or expected any more. */
  onReleased(): void;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxIncomingStreams: 16_384,
  maxUnreadBytes: 64 * 1024 * 1024,
};

/** After a close the engine answers what is still under way (RFC 9000, section 10.2), but no longer than this. */
const drainMs = 1000;

/** With more open streams than this, stops are looked for at this interval instead of every turn. */
const fewStreams = 64;
const stopSweepMs = 50;

/** How many streams may be found still blocked in one turn. */
const maxStuckRetries = 256;

/** With more waiting readers than this it is cheaper to ask the engine which streams have something. */
const fewReaders = 8;

const maxCongestionWindowBytes = 64 * 1024 * 1024;
const packetsPerWindowCheck = 4096;

const protocolViolation = 0x0a;

/** Answers to path probes: this many at once, and this many a second. */
const echoBurst = 32;

/**
 * Drives one engine connection: hands it datagrams, moves bytes between it and the streams once a turn, sends its
 * packets, and keeps its time. {@link QuicConnection} is what users see of it.
 */
export class Driver implements StreamHost, TurnTaker {
  readonly engine: Engine;
  readonly slab = new Slab();
  nowMs = performance.now();
  readonly #endpoint: UdpEndpoint;
  readonly #isServer: boolean;
  readonly #peer: UdpAddress | undefined;
  readonly #events: DriverEvents;
  readonly #limits: ConnectionLimits;
  readonly #budget: ReceiveBudget;
  readonly #mtu: PathMtu;
  readonly #keepAliveIntervalMs: number | undefined;
  #state: "opening" | "open" | "ended" | "released" = "opening";

  readonly #sending = new Map<number, SendStream>();
  readonly #receiving = new Map<number, ReceiveStream>();
  /** Peer's streams that were cancelled here: what still comes is thrown away. */
  readonly #discarded = new Set<number>();
  #incoming = 0;
  #nextStream: { bidirectional: number; unidirectional: number };

  readonly #toHandOver = new Set<SendStream>();
  #blocked = new Set<SendStream>();
  #waitingReaders = new Set<ReceiveStream>();
  readonly #lateFins = new Map<SendStream, number>();

  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Infinity;
  #engineDueMs = Infinity;
  #keepAliveMs = Infinity;
  #sweepDueMs = Infinity;
  #lastSweepMs = -Infinity;
  #releaseMs = Infinity;
  #heard = false;

  #packetsToCheck = packetsPerWindowCheck;
  #echoes = echoBurst;
  #echoesAtMs = 0;

  constructor(options: DriverOptions) {
    this.engine = options.engine;
    this.#endpoint = options.endpoint;
    this.#isServer = options.role === "server";
    this.#peer = options.peer;
    this.#events = options.events;
    this.#limits = options.limits;
    this.#budget = new ReceiveBudget({
      streamWindowBytes: options.streamWindowBytes,
      unreadBytes: options.limits.maxUnreadBytes,
    });
    this.#keepAliveIntervalMs = options.keepAliveIntervalMs;
    this.#mtu = new PathMtu({
      candidates: options.datagramCandidates,
      createNonce: () => randomBytes(8).toString("latin1"),
    });
    this.#nextStream = this.#isServer
      ? { bidirectional: 1, unidirectional: 3 }
      : { bidirectional: 0, unidirectional: 2 };
  }

  get datagramBytes(): number {
    return this.#mtu.datagramBytes;
  }

  /** Takes a datagram of this connection. False when it is of no use and the engine has given up. */
  receive(datagram: Buffer): boolean {
    if (this.#state === "released") return false;
    if (datagram[0] === pathProbeFirstByte) {
      this.#onPathProbe(datagram);
      return true;
    }
    this.#budget.received(datagram.length);
    this.#heard = true;
    let usable = true;
    try {
      this.engine.receive(datagram);
    } catch {
      // The engine has closed the connection: process() finds out why.
      usable = false;
    }
    this.#endpoint.processLater(this);
    return usable;
  }

  process(): void {
    if (this.#state === "released") return;
    this.nowMs = performance.now();
    if (this.#state === "opening" && this.engine.isEstablished()) this.#establish();
    if (this.#state === "open") {
      this.#readStreams();
      this.#retryBlocked();
      this.#sweepStopped();
      if (this.#heard && this.#keepAliveIntervalMs !== undefined) this.#keepAliveMs = this.#nextKeepAlive();
      if (this.#budget.isExceeded(this.#receiving.size)) this.#violated("more data than its streams account for");
    }
    this.#heard = false;
    if (this.engine.isDraining()) this.#end(endOf(this.engine));
    this.flushSoon();
  }

  flush(): boolean {
    if (this.#state === "released") return true;
    this.nowMs = performance.now();
    if (this.#toHandOver.size > 0) {
      for (const stream of this.#toHandOver) stream.handOver();
      this.#toHandOver.clear();
    }
    for (;;) {
      const buffer = this.#endpoint.packetBuffer(this.#mtu.datagramBytes);
      const length = this.#nextPacket(buffer);
      if (length === 0) break;
      if (!this.#endpoint.transmit(length, this.#peer)) return false;
    }
    this.#armTimer();
    return true;
  }

  getStats(): ConnectionStats {
    const path = this.engine.pathStats();
    const { sent, recv, lost, sentBytes, recvBytes } = this.engine.stats();
    return {
      ...(path !== undefined && { rttMs: path.rtt }),
      bytesSent: sentBytes,
      bytesReceived: recvBytes,
      packetsSent: sent,
      packetsReceived: recv,
      packetsLost: lost,
      datagramBytes: this.datagramBytes,
    };
  }

  /** Opens a stream. The other end hears of it with the first byte. */
  openBidirectional(): { receive: ReceiveStream; send: SendStream } {
    const id = this.#nextStream.bidirectional;
    this.#nextStream.bidirectional += 4;
    return { receive: this.#addReceiving(id), send: this.#addSending(id, false) };
  }

  openUnidirectional(): SendStream {
    const id = this.#nextStream.unidirectional;
    this.#nextStream.unidirectional += 4;
    return this.#addSending(id, false);
  }

  /** Closes with an application code; the end is reported at once, packets are answered for a moment longer. */
  close({ closeCode, reason }: CloseInfo): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#closeEngine(true, closeCode, reason);
    this.#end({ info: { closeCode, reason } });
  }

  /** Gives up: the other end is told a transport error, this end reports `error`. */
  fail(error: ConecError, code: number): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#closeEngine(false, code, "");
    this.#end({ error });
  }

  /** Forgets everything at once, with nothing more said to the other end. */
  release(): void {
    if (this.#state === "released") return;
    if (this.#state !== "ended") this.#end(endOf(this.engine));
    this.#state = "released";
    clearTimeout(this.#timer);
    this.#events.onReleased();
  }

  // What streams ask for.

  flushSoon(): void {
    this.#endpoint.flushLater(this);
  }

  flushNow(): void {
    this.flush();
  }

  handOverLater(stream: SendStream): void {
    this.#toHandOver.add(stream);
    this.#endpoint.flushLater(this);
  }

  retryLater(stream: SendStream): void {
    this.#blocked.add(stream);
  }

  finLater(stream: SendStream, atMs: number): void {
    this.#lateFins.set(stream, atMs);
    this.#armTimer();
  }

  readLater(stream: ReceiveStream): void {
    this.#waitingReaders.add(stream);
  }

  delivered(bytes: number): void {
    this.#budget.delivered(bytes);
  }

  sendEnded(stream: SendStream): void {
    this.#sending.delete(stream.id);
    this.#blocked.delete(stream);
    this.#lateFins.delete(stream);
  }

  receiveEnded(stream: ReceiveStream, discard: boolean): void {
    if (this.#receiving.delete(stream.id) && this.#isPeers(stream.id)) this.#incoming -= 1;
    this.#waitingReaders.delete(stream);
    if (discard) this.#discarded.add(stream.id);
  }

  // Once a turn.

  #establish(): void {
    try {
      this.#events.onEstablished();
    } catch (thrown) {
      const error = thrown instanceof ConecError ? thrown : new ConecError("internal", "", { cause: thrown });
      this.fail(error, protocolViolation);
      return;
    }
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#mtu.start(this.nowMs);
    if (this.#keepAliveIntervalMs !== undefined) this.#keepAliveMs = this.#nextKeepAlive();
  }

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
        this.#drain(id);
      } else if (this.#isPeers(id)) {
        this.#acceptStream(id);
      }
      if (this.#state !== "open") return;
    }
  }

  #acceptStream(id: number): void {
    if (this.#incoming >= this.#limits.maxIncomingStreams) {
      this.#violated("too many streams open at once");
      return;
    }
    this.#incoming += 1;
    const receive = this.#addReceiving(id);
    const send = (id & 2) === 0 ? this.#addSending(id, true) : undefined;
    this.#events.onStream(receive, send);
    receive.onReadable();
  }

  #drain(id: number): void {
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

  /** First come, first served; who got something and wants more goes to the end of the queue. */
  #retryBlocked(): void {
    if (this.#blocked.size === 0) return;
    const served: SendStream[] = [];
    let stuck = 0;
    for (const stream of this.#blocked) {
      const taken = stream.retry();
      if (taken === undefined) this.#blocked.delete(stream);
      else if (taken > 0) served.push(stream);
      else if (++stuck >= maxStuckRetries) {
        this.#rotateBlocked();
        break;
      }
    }
    for (const stream of served) {
      if (this.#blocked.delete(stream)) this.#blocked.add(stream);
    }
  }

  #rotateBlocked(): void {
    const queue = [...this.#blocked];
    this.#blocked = new Set([...queue.slice(maxStuckRetries), ...queue.slice(0, maxStuckRetries)]);
  }

  /** A stop by the other end shows only when the stream is asked about. */
  #sweepStopped(): void {
    if (!this.#heard && this.nowMs < this.#sweepDueMs) return;
    if (this.#sending.size > fewStreams && this.nowMs - this.#lastSweepMs < stopSweepMs) {
      this.#sweepDueMs = this.#lastSweepMs + stopSweepMs;
      return;
    }
    this.#lastSweepMs = this.nowMs;
    this.#sweepDueMs = Infinity;
    for (const stream of this.#sending.values()) stream.checkStopped();
  }

  // Packets and time.

  #nextPacket(buffer: Buffer): number {
    let length = 0;
    try {
      length = this.engine.send(buffer);
    } catch (cause) {
      this.#end({ error: new ConecError("internal", "The QUIC engine cannot build a packet", { cause }) });
      this.#releaseMs = this.nowMs;
    }
    if (length > 0 && --this.#packetsToCheck === 0) {
      this.#packetsToCheck = packetsPerWindowCheck;
      // Acknowledging what was never received would let it grow without end (CVE-2025-4820).
      if ((this.engine.pathStats()?.cwnd ?? 0) > maxCongestionWindowBytes) this.#violated("false acknowledgements");
    }
    return length;
  }

  #armTimer(): void {
    if (this.#state === "released") return;
    const engineMs = this.engine.timeout();
    this.#engineDueMs = engineMs === null ? Infinity : this.nowMs + Math.max(1, engineMs);
    let dueMs = Math.min(this.#engineDueMs, this.#releaseMs);
    if (this.#state === "open") {
      dueMs = Math.min(dueMs, this.#mtu.deadlineMs ?? Infinity, this.#keepAliveMs, this.#sweepDueMs);
      for (const atMs of this.#lateFins.values()) dueMs = Math.min(dueMs, atMs);
    }
    if (dueMs === Infinity || dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    // The socket keeps the process alive, as long as something is to be expected from it.
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, dueMs - this.nowMs)).unref();
  }

  #onTimer(): void {
    this.#timerDueMs = Infinity;
    this.nowMs = performance.now();
    if (this.#state === "released") return;
    if (this.nowMs >= this.#engineDueMs && (this.engine.timeout() ?? 1) === 0) {
      this.engine.onTimeout();
      this.#mtu.onLossTimeout(this.nowMs);
    }
    if (this.#state === "open") {
      this.#sendLateFins();
      this.#probePath();
      if (this.nowMs >= this.#keepAliveMs) {
        this.#keepAliveMs = this.#nextKeepAlive();
        this.engine.ping();
      }
    }
    if (this.engine.isClosed() || this.nowMs >= this.#releaseMs) this.release();
    else this.process();
  }

  #sendLateFins(): void {
    for (const [stream, atMs] of this.#lateFins) {
      if (this.nowMs < atMs) continue;
      this.#lateFins.delete(stream);
      stream.sendBareFin();
    }
  }

  #nextKeepAlive(): number {
    return this.nowMs + (this.#keepAliveIntervalMs ?? 0) * (0.8 + 0.4 * Math.random());
  }

  #probePath(): void {
    if (this.nowMs < (this.#mtu.deadlineMs ?? Infinity)) return;
    const rttMs = this.engine.pathStats()?.rtt ?? 0;
    for (const { bytes, nonce } of this.#mtu.poll(this.nowMs, rttMs)) {
      this.#endpoint.sendCopy(encodePathProbe({ kind: "probe", bytes, nonce }, this.#peersId()), this.#peer);
    }
  }

  #onPathProbe(datagram: Buffer): void {
    if (this.#state !== "open") return;
    const packet = decodePathProbe(datagram, this.#isServer ? 16 : 0);
    if (packet === undefined) return;
    const nowMs = performance.now();
    if (packet.kind === "echo") {
      this.#mtu.onEcho(packet.nonce, nowMs);
      return;
    }
    this.#echoes = Math.min(echoBurst, this.#echoes + ((nowMs - this.#echoesAtMs) / 1000) * echoBurst);
    this.#echoesAtMs = nowMs;
    if (this.#echoes < 1) return;
    this.#echoes -= 1;
    this.#endpoint.sendCopy(encodePathProbe({ ...packet, kind: "echo" }, this.#peersId()), this.#peer);
  }

  /** What the peer's table of connections is keyed by: clients have no id. */
  #peersId(): Uint8Array {
    return this.#isServer ? noId : this.engine.destinationId();
  }

  // The end.

  #violated(what: string): void {
    this.fail(new ConecError("limit-exceeded", `The other end sent ${what}`, { remote: true }), protocolViolation);
  }

  #closeEngine(isApplication: boolean, code: number, reason: string): void {
    try {
      this.engine.close(isApplication, code, Buffer.from(reason));
    } catch (error) {
      // "Done": it is closing already.
      if (error instanceof ConecError) throw error;
    }
  }

  #end(end: ConnectionEnd): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#state = "ended";
    this.#releaseMs = this.nowMs + drainMs;
    const error = "error" in end ? end.error : new ConecError("closed", closedMessage(end.info));
    for (const stream of this.#sending.values()) stream.fail(error);
    for (const stream of this.#receiving.values()) stream.fail(error);
    this.#discarded.clear();
    this.#toHandOver.clear();
    this.#events.onEnd(end);
    this.flush();
  }

  #isPeers(id: number): boolean {
    return ((id & 1) === 1) !== this.#isServer;
  }

  #addSending(id: number, opened: boolean): SendStream {
    const stream = new SendStream(this, id, opened);
    this.#sending.set(id, stream);
    return stream;
  }

  #addReceiving(id: number): ReceiveStream {
    const stream = new ReceiveStream(this, id);
    this.#receiving.set(id, stream);
    return stream;
  }
}

const noId = new Uint8Array(0);

function closedMessage({ closeCode, reason }: CloseInfo): string {
  return reason === "" ? `The connection was closed (${closeCode})` : `The connection was closed: ${reason}`;
}
