// SPDX-License-Identifier: Apache-2.0
/** Longer than most: what a connection does in a turn has one order, which is to be read in one place. */
import { ConecError, toConecError } from "../../core/errors.ts";
import type { CloseInfo, ConnectionStats } from "../../core/transport.ts";
import { serverIdBytes } from "./binding.ts";
import type { Engine } from "./binding.ts";
import { minDatagramBytes } from "./config.ts";
import { endOf, streamErrorOf } from "./connection-end.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import type { StreamProblem } from "./incoming-streams.ts";
import { KeepAlive } from "./keep-alive.ts";
import { hasLongHeader } from "./long-header.ts";
import { pathProbeFirstByte } from "./path-probe.ts";
import { PathProber } from "./path-prober.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { Roaming } from "./roaming.ts";
import type { SendStream } from "./send-stream.ts";
import { SentPackets } from "./sent-packets.ts";
import { StreamTable } from "./stream-table.ts";
import type { StreamTableOwner } from "./stream-table.ts";
import type { TurnTaker, UdpEndpoint, UdpSource } from "./udp/udp-endpoint.ts";
import type { Violation } from "./violation.ts";

export interface DriverOptions {
  engine: Engine;
  endpoint: UdpEndpoint;
  role: "client" | "server";
  /** Undefined on a connected socket. */
  peer: Roaming | undefined;
  /** Datagram sizes that may be tried on this path, above 1200. */
  datagramCandidates: readonly number[];
  /** How far the engine lets the window of a stream grow. */
  streamWindowBytes: number;
  /** How long nothing may be heard until the other end is asked for a sign of life. */
  keepAliveIntervalMs: number;
  /** How long the handshake may take. Default: as long as something is heard. */
  openTimeoutMs?: number;
  /**
   * How much of it the other end may send: the engine keeps what has gaps (CVE-2024-1765). Data may come behind it at once, and
   * before it, where the network turns packets around; the engine keeps ten of these.
   */
  maxOpeningBytes: number;
  limits: ConnectionLimits;
  events: DriverEvents;
}

export interface DriverEvents {
  /** The handshake is complete. Throws to refuse. */
  onEstablished(): void;
  /** The other end has opened a stream; `send` is absent when it is one-way. */
  onStream(receive: ReceiveStream, send: SendStream | undefined): void;
  /** An unreliable datagram came in (RFC 9221). Without a taker it is thrown away. */
  onDatagram?(payload: Uint8Array): void;
  /** The connection is about to be closed for what the other end did. */
  onViolation?(violation: Violation): void;
  /** Once; every stream has failed by then. */
  onEnd(end: ConnectionEnd): void;
  /** Once, after `onEnd`: nothing is sent or expected any more. */
  onReleased(): void;
}

/** After a close the engine answers what is still under way (RFC 9000, section 10.2), but no longer than this. */
const drainMs = 1000;

/**
 * A single datagram is acknowledged by the next packet, if there is one within this time. It is less than the 25 ms that
 * the other end expects (max_ack_delay; RFC 9000, section 13.2.1).
 */
const acknowledgementDelayMs = 10;
/** A loss timer runs for less than this, or on a path on which the delay does not matter. */
const longestLossTimeoutMs = 1000;
/** So many are acknowledged at once (RFC 9000, section 13.2.2). */
const answeredAtOnce = 2;

/** RFC 9000, section 20.1. */
const noError = 0x00;
const protocolViolation = 0x0a;
const cryptoBufferExceeded = 0x0d;
const aeadLimitReached = 0x0f;
const firstTlsAlert = 0x100;
const lastTlsAlert = 0x1ff;

/** No packet worth sending is smaller. */
const leastPacketBytes = 64;

/**
 * (Longer than other files: the order of work in a turn is understood only in one piece.)
 *
 * Drives one engine connection: hands it datagrams, has its streams moved once a turn, sends its packets, and keeps its
 * time. {@link QuicConnection} is what users see of it.
 */
export class Driver implements TurnTaker, StreamTableOwner {
  nowMs = performance.now();
  readonly streams: StreamTable;
  readonly #engine: Engine;
  readonly #isServer: boolean;
  readonly #endpoint: UdpEndpoint;
  readonly #peer: Roaming | undefined;
  readonly #events: DriverEvents;
  readonly #prober: PathProber;
  readonly #sentPackets: SentPackets;
  readonly #keepAlive: KeepAlive;
  #openingBytesLeft: number;
  #state: "opening" | "open" | "ended" | "released" = "opening";
  /** Whether a datagram has come in since the last turn. */
  #heard = false;
  /** How many have since packets were last built. */
  #unanswered = 0;
  #acknowledgeDueMs = Infinity;

  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Infinity;
  #engineDueMs = Infinity;
  #releaseDueMs: number;

  constructor(options: DriverOptions) {
    const { engine, endpoint, peer, streamWindowBytes, limits } = options;
    const isServer = options.role === "server";
    this.#isServer = isServer;
    this.#engine = engine;
    this.#endpoint = endpoint;
    this.#peer = peer;
    this.#events = options.events;
    this.#keepAlive = new KeepAlive(options.keepAliveIntervalMs);
    this.#releaseDueMs = this.nowMs + (options.openTimeoutMs ?? Infinity);
    this.#openingBytesLeft = options.maxOpeningBytes;
    this.#sentPackets = new SentPackets(engine, limits.maxBytesSent);
    this.streams = new StreamTable({ engine, isServer, streamWindowBytes, limits, connection: this });
    this.#prober = new PathProber({
      candidates: options.datagramCandidates,
      ownIdBytes: isServer ? serverIdBytes : 0,
      peersId: () => (isServer ? new Uint8Array(0) : engine.destinationId()),
      rttMs: () => engine.pathStats()?.rtt ?? 0,
      send: (datagram) => endpoint.sendCopy(datagram, peer?.current),
    });
  }

  /**
   * Takes a datagram of this connection. False when it is of no use and the engine has given up.
   *
   * @param from where it came from; undefined on a connected socket
   */
  receive(datagram: Buffer, from?: UdpSource): boolean {
    if (this.#state === "released") return false;
    const peer = this.#peer;
    const isUsual = from === undefined || peer === undefined || peer.isUsual(from.address, from.port);
    if (datagram[0] === pathProbeFirstByte) {
      if (this.#state === "open" && isUsual) this.#prober.receive(datagram, performance.now());
      return true;
    }
    if (isUsual || this.#state !== "open") return this.#take(datagram);
    const { current } = peer;
    const source = { host: from.address, port: from.port };
    const taken = peer.receive(datagram, source, performance.now(), (each) => this.#take(each));
    if (peer.current !== current) this.#prober.restart();
    return taken;
  }

  #take(datagram: Buffer): boolean {
    const isHandshake = this.#state === "opening" && hasLongHeader(datagram);
    if (isHandshake && (this.#openingBytesLeft -= datagram.length) < 0) {
      this.#giveUp("data", "a handshake that is too long", cryptoBufferExceeded);
      // There is nothing to wait for, and there may be many of them.
      this.release();
      return false;
    }
    this.streams.received(datagram.length);
    this.#heard = true;
    this.#unanswered += 1;
    this.#endpoint.processLater(this);
    try {
      this.#engine.receive(datagram);
      return true;
    } catch {
      // The engine has closed the connection: process() finds out why, and the other end is told at once.
      this.#unanswered = answeredAtOnce;
      return false;
    }
  }

  process(): void {
    if (this.#state === "released") return;
    this.nowMs = performance.now();
    const wasOpen = this.#state === "open";
    if (this.#state === "opening" && this.#engine.isEstablished()) this.#establish();
    if (this.#heard) this.#takeDatagrams();
    if (this.#state === "open") {
      this.#peer?.process(this.nowMs);
      this.streams.process(this.#heard);
    }
    const heard = this.#heard;
    if (heard) this.#keepAlive.heard(this.nowMs);
    this.#heard = false;
    if (this.#engine.isDraining()) this.#endByEngine();
    // A stateless reset leaves nothing to drain (RFC 9000, section 10.3.1).
    else if (this.#engine.isClosed()) return this.release();
    if (heard && wasOpen && this.#isAcknowledgementAll()) this.acknowledgeLater();
    else this.acknowledgeSoon();
  }

  flush(): boolean {
    if (this.#state === "released") return true;
    this.nowMs = performance.now();
    // The first packet acknowledges all that came in.
    this.#unanswered = 0;
    this.#acknowledgeDueMs = Infinity;
    this.streams.handOver();
    for (;;) {
      const bytes = this.#packetBytes();
      if (bytes < leastPacketBytes) break;
      const buffer = this.#endpoint.packetBuffer(bytes);
      const length = this.#buildPacket(buffer);
      if (length === 0) break;
      if (length === buffer.length && this.#state === "open") {
        this.#prober.onFullDatagram(this.nowMs);
        if (this.#sentPackets.isToWithhold(this.nowMs)) continue;
      }
      this.#peer?.sent(length);
      if (!this.#endpoint.transmit(length, this.#peer?.target)) return false;
    }
    this.armTimer();
    return true;
  }

  /** For an other end that asks for no sign of life itself, and does not answer conec's probes of the path. */
  adapt({ keepAliveIntervalMs, datagramBytes }: { keepAliveIntervalMs: number; datagramBytes: number }): void {
    this.#keepAlive.start(this.nowMs, keepAliveIntervalMs);
    this.#prober.fix(datagramBytes);
  }

  processSoon(): void {
    this.#endpoint.processLater(this);
  }

  flushSoon(): void {
    this.#endpoint.flushLater(this, "data");
  }

  acknowledgeSoon(): void {
    this.#endpoint.flushLater(this, "acknowledgements");
  }

  acknowledgeLater(): void {
    if (this.#acknowledgeDueMs !== Infinity) return;
    this.#acknowledgeDueMs = this.nowMs + acknowledgementDelayMs;
    if (this.#acknowledgeDueMs < this.#timerDueMs) this.#setTimer(this.#acknowledgeDueMs);
  }

  flushNow(): void {
    this.flush();
    this.#endpoint.submit();
  }

  getStats(): ConnectionStats {
    const path = this.#engine.pathStats();
    const { sent, recv, lost, sentBytes, recvBytes } = this.#engine.stats();
    return {
      ...(path !== undefined && { rttMs: path.rtt }),
      bytesSent: sentBytes,
      bytesReceived: recvBytes,
      packetsSent: sent,
      packetsReceived: recv,
      packetsLost: lost,
      datagramBytes: this.#prober.datagramBytes,
    };
  }

  /** Closes with an application code; the end is reported at once, packets are answered for a moment longer. */
  close({ closeCode, reason }: CloseInfo): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#closeEngine(true, closeCode, reason);
    this.#end({ info: { closeCode, reason } });
  }

  /** Forgets everything at once, with nothing more said to the other end. */
  release(): void {
    if (this.#state === "released") return;
    this.#endByEngine();
    this.#state = "released";
    clearTimeout(this.#timer);
    this.#events.onReleased();
  }

  onStream(receive: ReceiveStream, send: SendStream | undefined): void {
    this.#events.onStream(receive, send);
  }

  onStreamProblem({ violation, what }: StreamProblem): void {
    if (violation === "use") this.#giveUp(violation, what, noError);
    else this.#giveUp(violation, what, protocolViolation);
  }

  armTimer(): void {
    if (this.#state === "released") return;
    this.nowMs = performance.now();
    const engineMs = this.#engine.timeout();
    this.#engineDueMs = engineMs === null ? Infinity : this.nowMs + Math.max(1, engineMs);
    let dueMs = Math.min(this.#engineDueMs, this.#releaseDueMs, this.#acknowledgeDueMs);
    if (this.#state === "open") {
      dueMs = Math.min(dueMs, this.#prober.deadlineMs, this.streams.deadlineMs, this.#keepAlive.dueMs);
      if (this.#peer !== undefined) dueMs = Math.min(dueMs, this.#peer.deadlineMs);
    }
    // A timer that fires too early is cheaper than a new one for every packet.
    if (dueMs < this.#timerDueMs) this.#setTimer(dueMs);
  }

  #setTimer(dueMs: number): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    // The socket keeps the process alive, as long as something is to be expected from it.
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, dueMs - this.nowMs)).unref();
  }

  #onTimer(): void {
    this.#timerDueMs = Infinity;
    this.nowMs = performance.now();
    if (this.nowMs >= this.#engineDueMs && this.#engine.timeout() === 0) {
      this.#engine.onTimeout();
      this.#prober.onLossTimeout(this.nowMs);
    }
    if (this.#state === "open") {
      this.streams.onTime();
      this.#peer?.onTime(this.nowMs);
      this.#prober.poll(this.nowMs);
      if (this.nowMs >= this.#keepAlive.dueMs && this.#keepAlive.isToAsk(this.#engine.stats().recv, this.nowMs)) {
        this.#engine.ping();
      }
    }
    if (this.#engine.isClosed() || this.nowMs >= this.#releaseDueMs) this.release();
    else this.process();
  }

  /**
   * Whether there is nothing to send by now but the acknowledgement of a single datagram. The engine does not tell; but what
   * it has to repeat, or kept back, it only has while something is in flight, and then its loss timer runs.
   */
  #isAcknowledgementAll(): boolean {
    if (this.#state !== "open" || this.#unanswered >= answeredAtOnce) return false;
    const isExamining = this.#peer !== undefined && this.#peer.bytesLeft !== Infinity;
    return !isExamining && (this.#engine.timeout() ?? 0) > longestLossTimeoutMs;
  }

  #takeDatagrams(): void {
    let datagram: Uint8Array | null;
    while (this.#state === "open" && (datagram = this.#engine.receiveDatagram()) !== null) {
      this.streams.thrownAway(datagram.length);
      this.#events.onDatagram?.(datagram);
    }
  }

  #establish(): void {
    try {
      this.#events.onEstablished();
    } catch (thrown) {
      this.#fail(toConecError(thrown, "internal"));
      return;
    }
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#releaseDueMs = Infinity;
    this.#keepAlive.start(this.nowMs);
  }

  /** How large the next packet may be. Nothing is known of an address that the peer may have now. */
  #packetBytes(): number {
    const bytesLeft = this.#peer?.bytesLeft ?? Infinity;
    return bytesLeft === Infinity ? this.#prober.datagramBytes : Math.min(bytesLeft, minDatagramBytes);
  }

  #buildPacket(buffer: Uint8Array): number {
    let length: number;
    try {
      length = this.#engine.send(buffer);
    } catch (cause) {
      this.#releaseDueMs = this.nowMs;
      this.#end({ error: new ConecError("internal", "The QUIC engine cannot build a packet", { cause }) });
      return 0;
    }
    if (length > 0 && this.#sentPackets.countBuilt()) this.#checkSentPackets();
    return length;
  }

  #checkSentPackets(): void {
    this.streams.settle();
    const found = this.#sentPackets.check(this.nowMs);
    if (found === "use") this.#giveUp(found, "bytes were sent", aeadLimitReached);
    else if (found !== undefined) this.#giveUp(found, "false acknowledgements", protocolViolation);
  }

  #giveUp(violation: Violation, what: string, wireCode: number): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#events.onViolation?.(violation);
    const isUse = violation === "use";
    const message = isUse ? `The connection is used up: too many ${what}` : `The other end sent ${what}`;
    this.#fail(new ConecError("limit-exceeded", message, { remote: !isUse }), wireCode);
  }

  /** Gives up: the other end is told a transport error, this end reports `error`. */
  #fail(error: ConecError, wireCode = protocolViolation): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#closeEngine(false, wireCode, "");
    this.#end({ error });
  }

  #closeEngine(isApplication: boolean, code: number, reason: string): void {
    try {
      this.#engine.close(isApplication, code, Buffer.from(reason));
    } catch (error) {
      // "Done": it is closing already.
      if (error instanceof ConecError) throw error;
    }
  }

  #endByEngine(): void {
    if (this.#state === "ended" || this.#state === "released") return;
    const code = this.#engine.localError()?.errorCode;
    // A TLS alert is how a handshake fails, and counted as that.
    if (code !== undefined && (code < firstTlsAlert || code > lastTlsAlert)) this.#events.onViolation?.("protocol");
    this.#end(endOf(this.#engine, this.#isServer));
  }

  #end(end: ConnectionEnd): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#state = "ended";
    this.#releaseDueMs = Math.min(this.#releaseDueMs, performance.now() + drainMs);
    this.streams.end(streamErrorOf(end));
    this.#events.onEnd(end);
    this.flushNow();
  }
}
