// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";

import { sourceOf } from "../../core/source-of.ts";
import type { CloseInfo, Connection, ServerCertificate } from "../../core/transport.ts";
import { Admission } from "./admission.ts";
import type { AdmissionLimits } from "./admission.ts";
import { createApplicationProtocol } from "./application-protocol.ts";
import type { ApplicationProtocol } from "./application-protocol.ts";
import { serverIdBytes } from "./binding.ts";
import type { Binding, Engine, EngineConfig } from "./binding.ts";
import { certificateRefusal } from "./certificate-refusal.ts";
import { minDatagramBytes } from "./config.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { ConnectionTable, retired } from "./connection-table.ts";
import type { PathProfile } from "./datagram-sizes.ts";
import { Driver } from "./driver.ts";
import { createCounters } from "./listener-stats.ts";
import type { QuicListenerStats } from "./listener-stats.ts";
import { hasLongHeader, parseLongHeader } from "./long-header.ts";
import type { LongHeader } from "./long-header.ts";
import { Roaming } from "./roaming.ts";
import { SourceIds } from "./source-ids.ts";
import { StatelessAnswers } from "./stateless-answers.ts";
import { statelessResetToken, tokenAsInteger } from "./stateless-reset.ts";
import type { UdpAddress, UdpEndpoint, UdpSource } from "./udp/udp-endpoint.ts";

export interface AcceptorOptions {
  binding: Binding;
  endpoint: UdpEndpoint;
  /** The engine's configuration and what goes with it, for a client at that address. */
  profileFor: (host: string, originalId: Uint8Array | undefined) => ServerProfile;
  statelessResetKey: Uint8Array;
  limits: AdmissionLimits & ConnectionLimits;
  /** Of pages that may open a WebTransport session. Undefined: any. */
  allowedOrigins?: ReadonlySet<string> | undefined;
  onConnection: (connection: Connection) => void;
}

export interface ServerProfile extends PathProfile {
  config: EngineConfig;
  /** The certificate in that configuration. */
  server: ServerCertificate;
  /** What a client may send in its handshake beyond `maxHandshakeBytes`, for a certificate that it is asked for. */
  certificateBytes: number;
}

interface Entry {
  readonly driver: Driver;
  /** Where the connection was made from. */
  readonly from: UdpAddress;
  /** See {@link sourceOf}. */
  readonly source: string;
  established: boolean;
}

/** The server's side of a UDP socket: finds the connection that a datagram belongs to, and lets new ones in. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #table = new ConnectionTable<Entry>();
  readonly #connections = new Map<Driver, () => ApplicationProtocol | undefined>();
  readonly #admission: Admission<Entry>;
  readonly #answers: StatelessAnswers;
  readonly #counters = createCounters();
  #stopped = false;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#admission = new Admission(options.limits, performance.now());
    this.#answers = new StatelessAnswers({ ...options, counters: this.#counters });
  }

  getStats(): QuicListenerStats {
    const { violations, ...counters } = this.#counters;
    const halfOpen = this.#admission.halfOpen;
    return { connections: this.#connections.size, halfOpen, ...counters, violations: { ...violations } };
  }

  receive(datagram: Buffer, from: UdpSource): void {
    if (datagram.length === 0 || this.#stopped) return;
    if (!hasLongHeader(datagram)) this.#receiveShort(datagram, from);
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

  #receiveShort(datagram: Buffer, from: UdpSource): void {
    const entry = this.#table.find(datagram.toString("latin1", 1, 1 + serverIdBytes));
    if (entry === undefined) this.#answers.resetConnection(datagram, from);
    else if (entry !== retired) this.#deliver(entry, datagram, from);
  }

  #receiveLong(datagram: Buffer, from: UdpSource): void {
    const header = parseLongHeader(datagram);
    if (header === undefined) return this.#drop();
    const entry = this.#table.find(header.destinationId.toString("latin1"));
    if (entry !== undefined) {
      if (entry !== retired) this.#deliver(entry, datagram, from);
      return;
    }
    // A first packet must fill a datagram: else the answer could be larger than what it answers (RFC 9000, 14.1).
    if (datagram.length < minDatagramBytes || header.version === 0) this.#drop();
    else if (!this.#options.binding.isSupportedVersion(header.version)) this.#answers.negotiateVersion(header, from);
    else if (!header.isInitial || header.destinationId.length < 8 || !hasAcceptableSourceId(header)) this.#drop();
    else this.#welcome(header, datagram, from);
  }

  #deliver(entry: Entry, datagram: Buffer, from: UdpSource): void {
    // A client may not move before its handshake is complete (RFC 9000, section 9).
    if (!entry.established && (from.port !== entry.from.port || from.address !== entry.from.host)) return;
    if (!entry.established && hasLongHeader(datagram)) {
      this.#evict(this.#admission.received(entry.source, entry, datagram.length));
    }
    entry.driver.receive(datagram, from);
  }

  /** Gives up a handshake to make room. */
  #evict(entry: Entry | undefined): void {
    if (entry === undefined) return;
    this.#counters.evicted += 1;
    entry.driver.release();
  }

  #welcome(header: LongHeader, datagram: Buffer, from: UdpSource): void {
    const token = this.#tokenOf(datagram);
    if (token === undefined) return this.#drop();
    const originalId = this.#answers.originalIdOf(header, token, from);
    switch (this.#admission.decide(sourceOf(from.address), originalId !== undefined, performance.now())) {
      case "drop":
        return this.#drop();
      case "retry":
        return this.#answers.retry(header, from);
      case "accept":
        return this.#accept(header, originalId, datagram, from);
    }
  }

  #accept(header: LongHeader, originalId: Buffer | undefined, datagram: Buffer, from: UdpSource): void {
    const { binding, endpoint, statelessResetKey, limits, allowedOrigins, onConnection } = this.#options;
    // After a Retry the client uses the id that the Retry gave it.
    const id = originalId === undefined ? randomBytes(serverIdBytes) : Buffer.from(header.destinationId);
    if (id.length !== serverIdBytes) return this.#drop();
    const profile = this.#options.profileFor(from.address, originalId);
    const { config, datagramCandidates, maxStreamWindowBytes, certificateBytes } = profile;
    const resetTokenOf = (each: Buffer) => tokenAsInteger(statelessResetToken(statelessResetKey, each));
    config.setStatelessResetToken(resetTokenOf(id));
    let engine: Engine;
    try {
      engine = binding.accept(id, originalId ?? null, config);
    } catch {
      // Ids so long that the transport parameters do not fit; see config.ts.
      return this.#drop();
    }
    const counters = this.#counters;
    const source = sourceOf(from.address);
    const peer = { host: from.address, port: from.port };
    let protocol: ApplicationProtocol | undefined;
    const driver = new Driver({
      engine,
      endpoint,
      role: "server",
      peer: new Roaming({
        engine,
        address: peer,
        ids: new SourceIds({
          engine,
          resetTokenOf,
          onIssued: (each) => keys.add(each.toString("latin1")),
          onRetired: (each) => keys.retire(each.toString("latin1")),
        }),
        onMoved: () => (counters.addressChanges += 1),
        onRefused: () => (counters.addressChangesRefused += 1),
      }),
      datagramCandidates,
      streamWindowBytes: maxStreamWindowBytes,
      // Clients ask more often, so this is for silences only.
      keepAliveIntervalMs: profile.idleTimeoutMs / 2,
      openTimeoutMs: limits.handshakeTimeoutMs,
      maxOpeningBytes: limits.maxHandshakeBytes + certificateBytes,
      limits,
      events: {
        onEstablished: () => {
          entry.established = true;
          this.#admission.end(source, entry);
          counters.accepted += 1;
          const certificates = engine.peerCertificates();
          const application = { driver, peer, certificates, profile, allowedOrigins, onConnection };
          protocol = createApplicationProtocol(engine.applicationProtocol(), application);
        },
        onStream: (receive, send) => protocol?.onStream(receive, send),
        onDatagram: (payload) => protocol?.onDatagram?.(payload),
        onViolation: (violation) => (counters.violations[violation] += 1),
        onEnd: (end) => {
          const alert = entry.established ? undefined : engine.localError()?.errorCode;
          if (alert !== undefined && certificateRefusal(alert) !== undefined) counters.certificatesRefused += 1;
          protocol?.onEnd(end);
        },
        onReleased: () => {
          this.#connections.delete(driver);
          keys.clear();
          if (entry.established) return;
          this.#admission.end(source, entry);
          counters.handshakesFailed += 1;
        },
      },
    });
    const entry: Entry = { driver, from: peer, source, established: false };
    const keys = this.#table.enter(entry);
    keys.add(id.toString("latin1"));
    keys.add(header.destinationId.toString("latin1"));
    this.#connections.set(driver, () => protocol);
    this.#evict(this.#admission.begin(source, entry));
    this.#evict(this.#admission.received(source, entry, datagram.length));
    if (!driver.receive(datagram, from)) {
      counters.dropped += 1;
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

  #drop(): void {
    this.#counters.dropped += 1;
  }
}

/**
 * Clients that need no connection id of their own (conec's, Chromium) have one of zero length. Insisting on it makes
 * the engine close a connection on which NEW_CONNECTION_ID comes in: the frame behind CVE-2025-7054.
 */
function hasAcceptableSourceId(header: LongHeader): boolean {
  return header.sourceId.length === 0;
}
