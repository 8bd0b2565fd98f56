// SPDX-License-Identifier: Apache-2.0
import type { ListenerStats } from "../../core/transport.ts";
import type { Violation } from "./violation.ts";

/** Figures of a QUIC listener: what is there now, and since it was opened how often each limit has answered something. */
export interface QuicListenerStats extends ListenerStats {
  /** Handshakes under way. */
  halfOpen: number;
  /** Handshakes that were completed. */
  accepted: number;
  /** Handshakes that were begun and given up: they failed, took too long or had to make room for others. */
  handshakesFailed: number;
  /** Of these, those that had to make room. */
  evicted: number;
  /** And those in which the client's certificate was not taken, or was not there. */
  certificatesRefused: number;
  /** Clients that were asked to show that their address is their own (RFC 9000, section 8.1.2). */
  retried: number;
  /** First packets that were not answered, by a limit or because they are malformed. */
  dropped: number;
  /** Clients that were told which versions of QUIC are spoken here (RFC 9000, section 6). */
  versionNegotiations: number;
  /** Peers that were told that their connection is not known here (RFC 9000, section 10.3). */
  statelessResets: number;
  /** Packets that would have led to one of these two, beyond so many a second. */
  unanswered: number;
  /** Clients that have another address now. */
  addressChanges: number;
  /** Addresses from which datagrams of a client came, and that were found not to be its own. */
  addressChangesRefused: number;
  /** Connections that were closed for what the other end did. */
  violations: Record<Violation, number>;
}

/** What is counted, as opposed to measured. */
export type QuicListenerCounters = Omit<QuicListenerStats, "connections" | "halfOpen">;

export function createCounters(): QuicListenerCounters {
  return {
    accepted: 0,
    handshakesFailed: 0,
    evicted: 0,
    certificatesRefused: 0,
    retried: 0,
    dropped: 0,
    versionNegotiations: 0,
    statelessResets: 0,
    unanswered: 0,
    addressChanges: 0,
    addressChangesRefused: 0,
    violations: { protocol: 0, data: 0, streams: 0, resets: 0, acknowledgements: 0, use: 0 },
  };
}
