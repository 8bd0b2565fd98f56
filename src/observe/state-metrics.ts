// SPDX-License-Identifier: Apache-2.0
import type { Address, CoordinatorDetails, CoordinatorStats, ListenerStats } from "../index.ts";
import type { Attributes, Metric, Point } from "./metric.ts";

/** What there is to measure at one moment. */
export interface State {
  readonly stats: CoordinatorStats;
  readonly listeners: readonly ListenerState[];
  /** Only where each Client is a matter of its own. */
  readonly details?: CoordinatorDetails | undefined;
}

interface ListenerState {
  readonly transport: string;
  readonly address: Address;
  readonly stats: ListenerFigures;
}

/** What the listeners of conec tell, each its part: see `QuicListenerStats` and `WebSocketListenerStats`. */
export interface ListenerFigures extends ListenerStats {
  halfOpen?: number;
  accepted?: number;
  handshakesFailed?: number;
  evicted?: number;
  retried?: number;
  dropped?: number;
  versionNegotiations?: number;
  statelessResets?: number;
  unanswered?: number;
  addressChanges?: number;
  addressChangesRefused?: number;
  violations?: Readonly<Record<string, number>>;
}

/** A metric that is read off the state. */
export interface StateMetric extends Metric {
  readonly read: (state: State) => Point[];
}

/** Metrics of a Coordinator and its listeners. How many series each has is bounded, whoever connects. */
export const stateMetrics: readonly StateMetric[] = [
  {
    name: "conec.coordinator.active_clients",
    kind: "updowncounter",
    unit: "{client}",
    description: "Clients that are here, and of these those whose connection was lost and who are waited for",
    read: ({ stats: { clients, away } }) => [
      point(clients - away, { "conec.client.state": "connected" }),
      point(away, { "conec.client.state": "away" }),
    ],
  },
  {
    name: "conec.coordinator.pending_connections",
    kind: "updowncounter",
    unit: "{connection}",
    description: "Connections that have not been authenticated yet",
    read: ({ stats }) => [point(stats.pending)],
  },
  {
    name: "conec.coordinator.active_channels",
    kind: "updowncounter",
    unit: "{channel}",
    description: "Channels between two parties that are open",
    read: ({ stats }) => [point(stats.links)],
  },
  {
    name: "conec.coordinator.active_streams",
    kind: "updowncounter",
    unit: "{stream}",
    description: "Data streams on these channels that are open",
    read: ({ stats }) => [point(stats.openStreams)],
  },
  {
    name: "conec.coordinator.memory.usage",
    kind: "updowncounter",
    unit: "By",
    description: "Bytes that are kept for Clients, to be compared with the limit memoryInAll",
    read: ({ stats }) => [point(stats.bytesHeld)],
  },
  {
    name: "conec.coordinator.forwarded.streams",
    kind: "counter",
    unit: "{stream}",
    description: "Data streams forwarded between two parties",
    read: ({ stats }) => [point(stats.streamsForwarded)],
  },
  {
    name: "conec.coordinator.forwarded.io",
    kind: "counter",
    unit: "By",
    description: "Bytes of these streams, framing included, each counted once",
    read: ({ stats }) => [point(stats.bytesForwarded)],
  },
  {
    name: "conec.coordinator.refused_connections",
    kind: "counter",
    unit: "{connection}",
    description: "Connections turned away before they were let in, by the code of the error",
    read: ({ stats }) => each(stats.refused, "error.type"),
  },
  {
    name: "conec.coordinator.limit.hits",
    kind: "counter",
    unit: "{hit}",
    description: "How often a limit refused something, cut somebody off or let somebody wait, by its name",
    read: ({ stats }) => each(stats.limited, "conec.limit"),
  },
  ofListeners("active_connections", "updowncounter", "{connection}", "Connections that are open", ({ connections }) => [
    point(connections),
  ]),
  ofListeners("active_handshakes", "updowncounter", "{handshake}", "Handshakes under way", (stats) =>
    known(stats.halfOpen),
  ),
  ofListeners(
    "handshakes",
    "counter",
    "{handshake}",
    "Handshakes that are over: completed, failed, or given up to make room for others",
    ({ accepted, handshakesFailed, evicted = 0 }) => [
      ...known(accepted, { "conec.handshake.outcome": "accepted" }),
      ...known(handshakesFailed && handshakesFailed - evicted, { "conec.handshake.outcome": "failed" }),
      ...(handshakesFailed === undefined ? [] : [point(evicted, { "conec.handshake.outcome": "evicted" })]),
    ],
  ),
  ofListeners("retries", "counter", "{packet}", "Clients asked to show that their address is their own", (stats) =>
    known(stats.retried),
  ),
  ofListeners(
    "dropped_attempts",
    "counter",
    "{attempt}",
    "Attempts to connect that were not answered, by a limit or because they are malformed",
    (stats) => known(stats.dropped),
  ),
  ofListeners(
    "version_negotiations",
    "counter",
    "{packet}",
    "Clients told which versions of QUIC are spoken here",
    (stats) => known(stats.versionNegotiations),
  ),
  ofListeners(
    "stateless_resets",
    "counter",
    "{packet}",
    "Peers told that their connection is not known here",
    (stats) => known(stats.statelessResets),
  ),
  ofListeners(
    "unanswered_packets",
    "counter",
    "{packet}",
    "Packets that were to have been answered in one of these ways, beyond so many a second",
    (stats) => known(stats.unanswered),
  ),
  ofListeners(
    "address_changes",
    "counter",
    "{change}",
    "Clients that have another address now, and addresses found not to be a client's own",
    ({ addressChanges, addressChangesRefused }) => [
      ...known(addressChanges, { "conec.address_change.outcome": "accepted" }),
      ...known(addressChangesRefused, { "conec.address_change.outcome": "refused" }),
    ],
  ),
  ofListeners(
    "violations",
    "counter",
    "{connection}",
    "Connections closed for what the other end did",
    ({ violations = {} }) => each(violations, "conec.violation"),
  ),
];

/** Metrics with a series for each Client that is here; only for those who ask for them. */
export const clientMetrics: readonly StateMetric[] = [
  {
    name: "conec.coordinator.client.rtt",
    kind: "gauge",
    unit: "s",
    description: "Smoothed round-trip time of a Client's connection",
    read: ({ details }) =>
      (details?.clients ?? []).flatMap(({ peer, transport, connection: { rttMs } }) =>
        known(rttMs && rttMs / 1000, { "conec.client.id": peer.id, "conec.transport": transport }),
      ),
  },
  {
    name: "conec.coordinator.client.io",
    kind: "counter",
    unit: "By",
    description: "Bytes on the wire of a Client's connection; begins again when it comes back with another one",
    read: ({ details }) =>
      (details?.clients ?? []).flatMap(({ peer, transport, connection: { bytesReceived, bytesSent } }) => {
        const attributes = { "conec.client.id": peer.id, "conec.transport": transport };
        return [
          ...known(bytesReceived, { ...attributes, "network.io.direction": "receive" }),
          ...known(bytesSent, { ...attributes, "network.io.direction": "transmit" }),
        ];
      }),
  },
];

function ofListeners(
  name: string,
  kind: Metric["kind"],
  unit: string,
  description: string,
  read: (stats: ListenerFigures) => Point[],
): StateMetric {
  return {
    name: `conec.listener.${name}`,
    kind,
    unit,
    description,
    read: ({ listeners }) =>
      listeners.flatMap(({ transport, address, stats }) =>
        read(stats).map(({ value, attributes }) =>
          point(value, { "conec.transport": transport, "server.port": address.port, ...attributes }),
        ),
      ),
  };
}

function point(value: number, attributes: Attributes = {}): Point {
  return { value, attributes };
}

/** Nothing where the transport does not tell it. */
function known(value: number | undefined, attributes?: Attributes): Point[] {
  return value === undefined ? [] : [point(value, attributes)];
}

function each(counts: Readonly<Record<string, number>>, attribute: string): Point[] {
  return Object.entries(counts).map(([name, value]) => point(value, { [attribute]: name }));
}
