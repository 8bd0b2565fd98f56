import { randomBytes } from "node:crypto";
import type { RemoteInfo } from "node:dgram";

import type { CloseInfo, Connection } from "../../core/transport.ts";
import { addressBytes, unmapped } from "./address-bytes.ts";
import { Admission } from "./admission.ts";
import type { AdmissionLimits } from "./admission.ts";
import { createApplicationProtocol } from "./application-protocol.ts";
import type { ApplicationProtocol } from "./application-protocol.ts";
import { serverIdBytes } from "./binding.ts";
import type { Binding, Engine, EngineConfig } from "./binding.ts";
import { minDatagramBytes } from "./config.ts";
import type { PathProfile } from "./datagram-sizes.ts";
import { Driver } from "./driver.ts";
import { parseLongHeader } from "./long-header.ts";
import type { LongHeader } from "./long-header.ts";
import { createRetryToken, openRetryToken } from "./retry-token.ts";
import { createStatelessReset, statelessResetToken, tokenAsInteger } from "./stateless-reset.ts";
import type { ConnectionLimits } from "./stream-table.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { UdpAddress, UdpEndpoint } from "./udp-endpoint.ts";

export interface AcceptorOptions {
  binding: Binding;
  endpoint: UdpEndpoint;
  /** The engine's configuration and what goes with it, for a client at that address. */
  profileFor: (host: string, originalId: Uint8Array | undefined) => PathProfile & { config: EngineConfig };
  statelessResetKey: Uint8Array;
  limits: AdmissionLimits & ConnectionLimits;
  /** Of pages that may open a WebTransport session. Undefined: any. */
  allowedOrigins?: ReadonlySet<string> | undefined;
  onConnection: (connection: Connection) => void;
}

export interface QuicListenerStats {
  connections: number;
  halfOpen: number;
  accepted: number;
  /** Clients that were asked to show that their address is their own. */
  retried: number;
  /** First packets that were not answered, by a limit or because they are malformed. */
  dropped: number;
  statelessResets: number;
}

interface Entry {
  readonly driver: Driver;
  readonly from: UdpAddress;
  established: boolean;
}

/** Answers to what belongs to no connection: this many a second. */
const strayAnswersPerSecond = 100;

/** The server's side of a UDP socket: finds the connection that a datagram belongs to, and lets new ones in. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  /** By connection id, in latin1: the ones that this end gave out, and the one of each client's first packet. */
  readonly #entries = new Map<string, Entry>();
  readonly #connections = new Map<Driver, () => ApplicationProtocol | undefined>();
  readonly #admission: Admission;
  readonly #strayAnswers: TokenBucket;
  readonly #retryKey = randomBytes(32);
  readonly #stats = { accepted: 0, retried: 0, dropped: 0, statelessResets: 0 };
  #stopped = false;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    const nowMs = performance.now();
    this.#admission = new Admission(options.limits, nowMs);
    this.#strayAnswers = new TokenBucket({ perSecond: strayAnswersPerSecond, burst: strayAnswersPerSecond, nowMs });
  }

  getStats(): QuicListenerStats {
    return { connections: this.#connections.size, halfOpen: this.#admission.halfOpen, ...this.#stats };
  }

  receive(datagram: Buffer, from: RemoteInfo): void {
    if (datagram.length === 0 || this.#stopped) return;
    if (((datagram[0] as number) & 0x80) === 0) this.#receiveShort(datagram, from);
    else this.#receiveLong(datagram, from);
  }

  /** Lets nobody in any more and closes all connections. */
  stop(info: CloseInfo): void {
    this.#stopped = true;
    for (const [driver, protocol] of this.#connections) {
      protocol()?.onStop?.(info);
      driver.close(info);
      driver.release();
    }
  }

  #receiveShort(datagram: Buffer, from: RemoteInfo): void {
    const entry = this.#entries.get(datagram.toString("latin1", 1, 1 + serverIdBytes));
    if (entry !== undefined) this.#deliver(entry, datagram, from);
    else this.#resetStateless(datagram, from);
  }

  #receiveLong(datagram: Buffer, from: RemoteInfo): void {
    const header = parseLongHeader(datagram);
    if (header === undefined) return;
    const entry = this.#entries.get(header.destinationId.toString("latin1"));
    if (entry !== undefined) {
      this.#deliver(entry, datagram, from);
      return;
    }
    // A first packet must fill a datagram: else the answer could be larger than what it answers (RFC 9000, 14.1).
    if (datagram.length < minDatagramBytes || header.version === 0) return;
    if (!this.#options.binding.isSupportedVersion(header.version)) this.#negotiateVersion(header, from);
    else if (!header.isInitial || header.destinationId.length < 8 || !hasAcceptableSourceId(header)) this.#drop();
    else this.#welcome(header, datagram, from);
  }

  #deliver(entry: Entry, datagram: Buffer, from: RemoteInfo): void {
    // A client may not move before its handshake is complete (RFC 9000, section 9).
    if (!entry.established && (from.port !== entry.from.port || from.address !== entry.from.host)) return;
    entry.driver.receive(datagram);
  }

  #welcome(header: LongHeader, datagram: Buffer, from: RemoteInfo): void {
    const nowMs = performance.now();
    const token = this.#tokenOf(datagram);
    if (token === undefined) {
      this.#drop();
      return;
    }
    const claim = { address: `${from.address} ${from.port}`, newId: header.destinationId };
    const originalId = token.length === 0 ? undefined : openRetryToken(this.#retryKey, token, claim, Date.now());
    switch (this.#admission.decide(sourceOf(from.address), originalId !== undefined, nowMs)) {
      case "drop":
        return this.#drop();
      case "retry":
        return this.#retry(header, from);
      case "accept":
        return this.#accept(header, originalId, datagram, from);
    }
  }

  #accept(header: LongHeader, originalId: Buffer | undefined, datagram: Buffer, from: RemoteInfo): void {
    const { binding, endpoint, statelessResetKey, limits } = this.#options;
    // After a Retry the client uses the id that the Retry gave it.
    const id = originalId === undefined ? randomBytes(serverIdBytes) : Buffer.from(header.destinationId);
    if (id.length !== serverIdBytes) return this.#drop();
    const profile = this.#options.profileFor(from.address, originalId);
    const { config, datagramCandidates, maxStreamWindowBytes } = profile;
    config.setStatelessResetToken(tokenAsInteger(statelessResetToken(statelessResetKey, id)));
    let engine: Engine;
    try {
      engine = binding.accept(id, originalId ?? null, config);
    } catch {
      // Ids so long that the transport parameters do not fit; see config.ts.
      return this.#drop();
    }
    const peer = { host: from.address, port: from.port };
    const keys = new Set([id.toString("latin1"), header.destinationId.toString("latin1")]);
    let protocol: ApplicationProtocol | undefined;
    const driver = new Driver({
      engine,
      endpoint,
      role: "server",
      peer,
      datagramCandidates,
      streamWindowBytes: maxStreamWindowBytes,
      keepAliveIntervalMs: undefined,
      limits,
      events: {
        onEstablished: () => {
          entry.established = true;
          this.#admission.end();
          this.#stats.accepted += 1;
          const { allowedOrigins, onConnection } = this.#options;
          const application = { driver, peer, profile, allowedOrigins, onConnection };
          protocol = createApplicationProtocol(engine.applicationProtocol(), application);
        },
        onStream: (receive, send) => protocol?.onStream(receive, send),
        onDatagram: (payload) => protocol?.onDatagram?.(payload),
        onEnd: (end) => protocol?.onEnd(end),
        onReleased: () => {
          if (!entry.established) this.#admission.end();
          this.#connections.delete(driver);
          for (const key of keys) this.#entries.delete(key);
        },
      },
    });
    const entry: Entry = { driver, from: peer, established: false };
    this.#admission.begin();
    this.#connections.set(driver, () => protocol);
    for (const key of keys) this.#entries.set(key, entry);
    if (!driver.receive(datagram)) {
      this.#stats.dropped += 1;
      driver.release();
    }
  }

  #tokenOf(datagram: Buffer): Uint8Array | undefined {
    try {
      return this.#options.binding.tokenOf(datagram);
    } catch {
      return undefined;
    }
  }

  #retry(header: LongHeader, from: RemoteInfo): void {
    const newId = randomBytes(serverIdBytes);
    const claim = { address: `${from.address} ${from.port}`, originalId: header.destinationId, newId };
    const token = createRetryToken(this.#retryKey, claim, Date.now());
    const { sourceId, destinationId, version } = header;
    const packet = { clientSourceId: sourceId, clientDestinationId: destinationId, newSourceId: newId, token, version };
    this.#stats.retried += 1;
    this.#answer(from, (out) => this.#options.binding.writeRetry(packet, out));
  }

  #negotiateVersion({ sourceId, destinationId }: LongHeader, from: RemoteInfo): void {
    if (!this.#strayAnswers.take(performance.now())) return;
    this.#answer(from, (out) => this.#options.binding.writeVersionNegotiation(sourceId, destinationId, out));
  }

  #resetStateless(datagram: Buffer, from: RemoteInfo): void {
    if (datagram.length <= serverIdBytes || !this.#strayAnswers.take(performance.now())) return;
    const id = datagram.subarray(1, 1 + serverIdBytes);
    const reset = createStatelessReset(statelessResetToken(this.#options.statelessResetKey, id), datagram.length);
    if (reset === undefined) return;
    this.#stats.statelessResets += 1;
    this.#options.endpoint.sendCopy(reset, { host: from.address, port: from.port });
  }

  #answer(from: RemoteInfo, write: (out: Buffer) => number): void {
    const out = Buffer.alloc(minDatagramBytes);
    try {
      const length = write(out);
      this.#options.endpoint.sendCopy(out.subarray(0, length), { host: from.address, port: from.port });
    } catch {
      this.#drop();
    }
  }

  #drop(): void {
    this.#stats.dropped += 1;
  }
}

/**
 * Clients that need no connection id of their own (conec's, Chromium) have one of zero length. Insisting on it makes
 * the engine close a connection on which NEW_CONNECTION_ID comes in: the frame behind CVE-2025-7054.
 */
function hasAcceptableSourceId(header: LongHeader): boolean {
  return header.sourceId.length === 0;
}

/** The network that one owner of addresses typically has: IPv4 /24, IPv6 /64. */
function sourceOf(address: string): string {
  const bytes = addressBytes(unmapped(address));
  return Buffer.from(bytes.subarray(0, bytes.length === 4 ? 3 : 8)).toString("latin1");
}
