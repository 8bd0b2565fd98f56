// SPDX-License-Identifier: Apache-2.0
import type { ClientDetails, CoordinatorDetails, CoordinatorStats, ForwardedChannel, Peer } from "../index.ts";

/** What is at a Coordinator and how much moves, as the live page shows it. Rates are in bytes a second. */
export interface LiveView {
  timeMs: number;
  /** Over which time the rates are. 0: there are none yet. */
  overMs: number;
  totals: LiveTotals;
  /** Those with the highest rates first, at most 500. */
  clients: LiveClient[];
  channels: LiveChannel[];
}

/** All together. */
export interface LiveTotals {
  clients: number;
  away: number;
  pending: number;
  channels: number;
  streams: number;
  bytesHeld: number;
  /** Forwarded between two parties, each byte counted once. */
  rate: number;
  bytes: number;
  refused: number;
}

/** A Client in a {@link LiveView}. */
export interface LiveClient {
  id: string;
  transport: string;
  host: string;
  isAway: boolean;
  rttMs?: number;
  /** Channels to others. */
  channels: number;
  /** On the wire, from it and to it; absent where the transport does not tell. */
  received?: LiveFlow;
  sent?: LiveFlow;
}

/** A channel between two parties in a {@link LiveView}. */
export interface LiveChannel {
  id: number;
  /** Ids of Clients; null is the Coordinator itself. */
  between: [string | null, string | null];
  streams: number;
  /** From the first to the second, and back. */
  flows: [LiveFlow, LiveFlow];
}

/** What goes one way: bytes in all, and bytes a second. */
export interface LiveFlow {
  bytes: number;
  rate: number;
}

/** More are counted, but not listed. */
export const maxShown = 500;

/** Makes views out of what the Coordinator tells from time to time: rates are between one and the next. */
export class LiveViews {
  #before: { timeMs: number; bytes: Map<string, number> } | undefined;

  /** @param timeMs of a clock that only rises */
  next(stats: CoordinatorStats, { clients, channels }: CoordinatorDetails, timeMs: number): LiveView {
    const { timeMs: sinceMs, bytes: before } = this.#before ?? { timeMs, bytes: undefined };
    const overMs = timeMs - sinceMs;
    const bytes = new Map<string, number>();
    const flow = (key: string, total: number): LiveFlow => {
      bytes.set(key, total);
      if (before === undefined || overMs === 0) return { bytes: total, rate: 0 };
      // What has come since began at 0, and so did the figures of a connection that was made again.
      const last = before.get(key) ?? 0;
      return { bytes: total, rate: ((last <= total ? total - last : total) * 1000) / overMs };
    };
    const all = flow("all", stats.bytesForwarded);
    const channelCounts = countChannels(channels);
    const liveClients = clients.map((client) => clientView(client, channelCounts.get(client.peer.id) ?? 0, flow));
    const liveChannels = channels.map((channel) => channelView(channel, flow));
    this.#before = { timeMs, bytes };
    return {
      timeMs,
      overMs,
      totals: {
        clients: stats.clients,
        away: stats.away,
        pending: stats.pending,
        channels: stats.links,
        streams: stats.openStreams,
        bytesHeld: stats.bytesHeld,
        ...all,
        refused: Object.values(stats.refused).reduce((sum, count) => sum + count, 0),
      },
      clients: busiest(liveClients, ({ received, sent }) => (received?.rate ?? 0) + (sent?.rate ?? 0)),
      channels: busiest(liveChannels, ({ flows: [there, back] }) => there.rate + back.rate),
    };
  }
}

function clientView(
  { peer, transport, remote, isAway, connection }: ClientDetails,
  channels: number,
  flow: (key: string, total: number) => LiveFlow,
): LiveClient {
  const { rttMs, bytesReceived, bytesSent } = connection;
  return {
    id: peer.id,
    transport,
    host: remote.host,
    isAway,
    ...(rttMs !== undefined && { rttMs }),
    channels,
    ...(bytesReceived !== undefined && { received: flow(`from ${peer.id}`, bytesReceived) }),
    ...(bytesSent !== undefined && { sent: flow(`to ${peer.id}`, bytesSent) }),
  };
}

function channelView(
  { id, between, openStreams, bytesForwarded }: ForwardedChannel,
  flow: (key: string, total: number) => LiveFlow,
): LiveChannel {
  const [there, back] = bytesForwarded;
  return {
    id,
    between: [clientId(between[0]), clientId(between[1])],
    streams: openStreams,
    flows: [flow(`${id} there`, there), flow(`${id} back`, back)],
  };
}

/** The Coordinator is the one party without a key. A Client may be called as it is. */
function clientId(peer: Peer | undefined): string | null {
  return peer?.publicKey === undefined ? null : peer.id;
}

function countChannels(channels: readonly ForwardedChannel[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { between } of channels) {
    for (const id of new Set(between.map(clientId))) {
      if (id !== null) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return counts;
}

function busiest<T>(all: readonly T[], rate: (each: T) => number): T[] {
  return all.toSorted((a, b) => rate(b) - rate(a)).slice(0, maxShown);
}
