import { ConecError, toConecError } from "../../core/errors.ts";
import type { CloseInfo, ConnectionStats } from "../../core/transport.ts";
import { serverIdBytes } from "./binding.ts";
import type { Engine } from "./binding.ts";
import { endOf, streamErrorOf } from "./connection-end.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { pathProbeFirstByte } from "./path-probe.ts";
import { PathProber } from "./path-prober.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import type { SendStream } from "./send-stream.ts";
import { StreamTable } from "./stream-table.ts";
import type { ConnectionLimits, StreamTableOwner } from "./stream-table.ts";
import type { TurnTaker, UdpAddress, UdpEndpoint } from "./udp-endpoint.ts";

export interface DriverOptions {
  engine: Engine;
  endpoint: UdpEndpoint;
  role: "client" | "server";
  /** Undefined on a connected socket. */
  peer: UdpAddress | undefined;
  /** Datagram sizes that may be tried on this path, above 1200. */
  datagramCandidates: readonly number[];
  /** How far the engine lets the window of a stream grow. */
  streamWindowBytes: number;
  /** Undefined: this end leaves it to the other one. */
  keepAliveIntervalMs: number | undefined;
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
  /** Once; every stream has failed by then. */
  onEnd(end: ConnectionEnd): void;
  /** Once, after `onEnd`: nothing is sent or expected any more. */
  onReleased(): void;
}

/** After a close the engine answers what is still under way (RFC 9000, section 10.2), but no longer than this. */
const drainMs = 1000;

const maxCongestionWindowBytes = 64 * 1024 * 1024;
const packetsPerWindowCheck = 4096;

/** RFC 9000, section 20.1. */
const protocolViolation = 0x0a;

/**
 * Drives one engine connection: hands it datagrams, has its streams moved once a turn, sends its packets, and keeps its
 * time. {@link QuicConnection} is what users see of it.
 */
export class Driver implements TurnTaker, StreamTableOwner {
  nowMs = performance.now();
  readonly streams: StreamTable;
  readonly #engine: Engine;
  readonly #endpoint: UdpEndpoint;
  readonly #peer: UdpAddress | undefined;
  readonly #events: DriverEvents;
  readonly #prober: PathProber;
  #keepAliveIntervalMs: number;
  #state: "opening" | "open" | "ended" | "released" = "opening";
  /** Whether a datagram has come in since the last turn. */
  #heard = false;
  #packetsToCheck = packetsPerWindowCheck;

  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Infinity;
  #engineDueMs = Infinity;
  #keepAliveDueMs = Infinity;
  #releaseDueMs = Infinity;

  constructor(options: DriverOptions) {
    const { engine, endpoint, peer, streamWindowBytes, limits } = options;
    const isServer = options.role === "server";
    this.#engine = engine;
    this.#endpoint = endpoint;
    this.#peer = peer;
    this.#events = options.events;
    this.#keepAliveIntervalMs = options.keepAliveIntervalMs ?? Infinity;
    this.streams = new StreamTable({ engine, isServer, streamWindowBytes, limits, connection: this });
    this.#prober = new PathProber({
      candidates: options.datagramCandidates,
      ownIdBytes: isServer ? serverIdBytes : 0,
      peersId: () => (isServer ? new Uint8Array(0) : engine.destinationId()),
      rttMs: () => engine.pathStats()?.rtt ?? 0,
      send: (datagram) => endpoint.sendCopy(datagram, peer),
    });
  }

  /** Takes a datagram of this connection. False when it is of no use and the engine has given up. */
  receive(datagram: Buffer): boolean {
    if (this.#state === "released") return false;
    if (datagram[0] === pathProbeFirstByte) {
      if (this.#state === "open") this.#prober.receive(datagram, performance.now());
      return true;
    }
    this.streams.received(datagram.length);
    this.#heard = true;
    this.#endpoint.processLater(this);
    try {
      this.#engine.receive(datagram);
      return true;
    } catch {
      // The engine has closed the connection: process() finds out why.
      return false;
    }
  }

  process(): void {
    if (this.#state === "released") return;
    this.nowMs = performance.now();
    if (this.#state === "opening" && this.#engine.isEstablished()) this.#establish();
    if (this.#heard) this.#takeDatagrams();
    if (this.#state === "open") this.streams.process(this.#heard);
    if (this.#heard) this.#keepAliveDueMs = this.#nextKeepAlive();
    this.#heard = false;
    if (this.#engine.isDraining()) this.#end(endOf(this.#engine));
    this.acknowledgeSoon();
  }

  flush(): boolean {
    if (this.#state === "released") return true;
    this.nowMs = performance.now();
    this.streams.handOver();
    for (;;) {
      const buffer = this.#endpoint.packetBuffer(this.#prober.datagramBytes);
      const length = this.#buildPacket(buffer);
      if (length === 0) break;
      if (length === buffer.length && this.#state === "open") this.#prober.onFullDatagram(this.nowMs);
      if (!this.#endpoint.transmit(length, this.#peer)) return false;
    }
    this.armTimer();
    return true;
  }

  /** For an other end that asks for no sign of life itself, and does not answer conec's probes of the path. */
  adapt({ keepAliveIntervalMs, datagramBytes }: { keepAliveIntervalMs: number; datagramBytes: number }): void {
    this.#keepAliveIntervalMs = keepAliveIntervalMs;
    this.#keepAliveDueMs = this.#nextKeepAlive();
    this.#prober.fix(datagramBytes);
  }

  flushSoon(): void {
    this.#endpoint.flushLater(this, "data");
  }

  acknowledgeSoon(): void {
    this.#endpoint.flushLater(this, "acknowledgements");
  }

  flushNow(): void {
    this.flush();
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
    if (this.#state !== "ended") this.#end(endOf(this.#engine));
    this.#state = "released";
    clearTimeout(this.#timer);
    this.#events.onReleased();
  }

  onStream(receive: ReceiveStream, send: SendStream | undefined): void {
    this.#events.onStream(receive, send);
  }

  onViolation(what: string): void {
    this.#fail(new ConecError("limit-exceeded", `The other end sent ${what}`, { remote: true }));
  }

  armTimer(): void {
    if (this.#state === "released") return;
    this.nowMs = performance.now();
    const engineMs = this.#engine.timeout();
    this.#engineDueMs = engineMs === null ? Infinity : this.nowMs + Math.max(1, engineMs);
    let dueMs = Math.min(this.#engineDueMs, this.#releaseDueMs);
    if (this.#state === "open") {
      dueMs = Math.min(dueMs, this.#prober.deadlineMs, this.streams.deadlineMs, this.#keepAliveDueMs);
    }
    // A timer that fires too early is cheaper than a new one for every packet.
    if (dueMs >= this.#timerDueMs) return;
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
      this.#prober.poll(this.nowMs);
      if (this.nowMs >= this.#keepAliveDueMs) {
        this.#keepAliveDueMs = this.#nextKeepAlive();
        this.#engine.ping();
      }
    }
    if (this.#engine.isClosed() || this.nowMs >= this.#releaseDueMs) this.release();
    else this.process();
  }

  #takeDatagrams(): void {
    let datagram: Uint8Array | null;
    while (this.#state === "open" && (datagram = this.#engine.receiveDatagram()) !== null) {
      this.streams.thrownAway(datagram.length);
      this.#events.onDatagram?.(datagram);
    }
  }

  /** With jitter, so that the clients of a restarted server do not all speak at once. */
  #nextKeepAlive(): number {
    return this.nowMs + this.#keepAliveIntervalMs * (0.8 + 0.4 * Math.random());
  }

  #establish(): void {
    try {
      this.#events.onEstablished();
    } catch (thrown) {
      this.#fail(toConecError(thrown, "internal"));
      return;
    }
    if (this.#state === "opening") this.#state = "open";
  }

  #buildPacket(buffer: Buffer): number {
    let length: number;
    try {
      length = this.#engine.send(buffer);
    } catch (cause) {
      this.#releaseDueMs = this.nowMs;
      this.#end({ error: new ConecError("internal", "The QUIC engine cannot build a packet", { cause }) });
      return 0;
    }
    if (length > 0) {
      this.#packetsToCheck -= 1;
      if (this.#packetsToCheck === 0) this.#checkCongestionWindow();
    }
    return length;
  }

  /** Acknowledging what was never received makes the window grow without end (CVE-2025-4820). */
  #checkCongestionWindow(): void {
    this.#packetsToCheck = packetsPerWindowCheck;
    if ((this.#engine.pathStats()?.cwnd ?? 0) > maxCongestionWindowBytes) this.onViolation("false acknowledgements");
  }

  /** Gives up: the other end is told a transport error, this end reports `error`. */
  #fail(error: ConecError): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#closeEngine(false, protocolViolation, "");
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

  #end(end: ConnectionEnd): void {
    if (this.#state === "ended" || this.#state === "released") return;
    this.#state = "ended";
    this.#releaseDueMs = Math.min(this.#releaseDueMs, performance.now() + drainMs);
    this.streams.end(streamErrorOf(end));
    this.#events.onEnd(end);
    this.flush();
  }
}
