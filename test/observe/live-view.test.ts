import { expect, test } from "vitest";

import type { ClientDetails, CoordinatorStats, ForwardedChannel, Peer } from "../../src/index.ts";
import { LiveViews, maxShown } from "../../src/observe/live-view.ts";

const publicKey = "ed25519:3jcvO6nJzDVzc0wYvdDkBYEvEqCPdWjbU5GNLmP0dLI";

function peer(id: string): Peer {
  return { id, metadata: {}, publicKey };
}

function client(id: string, bytesReceived: number, bytesSent: number): ClientDetails {
  return {
    peer: peer(id),
    isAway: false,
    transport: "quic",
    remote: { host: "192.0.2.1", port: 1 },
    connection: { rttMs: 5, bytesReceived, bytesSent },
  };
}

function channel(id: number, between: [Peer, Peer], bytesForwarded: [number, number]): ForwardedChannel {
  return { id, between, metadata: {}, openStreams: 1, streamsForwarded: 1, bytesForwarded };
}

function stats(bytesForwarded: number): CoordinatorStats {
  const counts = { clients: 2, away: 0, pending: 0, bytesHeld: 0, links: 1, openStreams: 1, streamsForwarded: 1 };
  return { ...counts, bytesForwarded, refused: { refused: 2, timeout: 1 }, limited: {} };
}

const [alice, bob] = [peer("alice"), peer("bob")];

test("rates are what has come between two views, over the time between them", () => {
  const views = new LiveViews();
  const clients = [client("alice", 1500, 100)];
  const first = views.next(stats(1000), { clients, channels: [channel(1, [alice, bob], [1000, 0])] }, 10_000);
  expect(first).toMatchObject({ overMs: 0, totals: { rate: 0, bytes: 1000, refused: 3 } });

  const later = { clients: [client("alice", 4500, 300)], channels: [channel(1, [alice, bob], [3000, 1000])] };
  const second = views.next(stats(4000), later, 12_000);
  expect(second.totals.rate).toBe(1500);
  expect(second.clients[0]).toMatchObject({ received: { bytes: 4500, rate: 1500 }, sent: { rate: 100 }, channels: 1 });
  expect(second.channels[0]!.flows).toEqual([
    { bytes: 3000, rate: 1000 },
    { bytes: 1000, rate: 500 },
  ]);
});

test("a connection that was made again, and whoever is new, have begun at 0", () => {
  const views = new LiveViews();
  views.next(stats(0), { clients: [client("alice", 9000, 0)], channels: [] }, 0);
  const later = { clients: [client("alice", 500, 0), client("bob", 300, 0)], channels: [] };
  const { clients } = views.next(stats(0), later, 1000);
  expect(clients.map(({ id, received }) => [id, received!.rate])).toEqual([
    ["alice", 500],
    ["bob", 300],
  ]);
});

test("the busiest first, and no more than can be looked at", () => {
  const views = new LiveViews();
  const many = (factor: number): ClientDetails[] =>
    Array.from({ length: maxShown + 100 }, (_, index) => client(`c${index}`, index * factor, 0));
  views.next(stats(0), { clients: many(1), channels: [] }, 0);
  const { clients } = views.next(stats(0), { clients: many(2), channels: [] }, 1000);
  expect(clients).toHaveLength(maxShown);
  expect(clients[0]!.id).toBe(`c${maxShown + 99}`);
});

test("a Client may be called as the Coordinator is: it is not taken for it", () => {
  const coordinator: Peer = { id: "coordinator", metadata: {} };
  const channels = [channel(1, [alice, coordinator], [0, 0]), channel(2, [alice, peer("coordinator")], [0, 0])];
  const view = new LiveViews().next(stats(0), { clients: [client("alice", 0, 0)], channels }, 0);
  expect(view.channels.map(({ between }) => between)).toEqual([
    ["alice", null],
    ["alice", "coordinator"],
  ]);
  expect(view.clients[0]!.channels).toBe(2);
});

test("transports that tell nothing have no figures", () => {
  const details = { ...client("alice", 0, 0), connection: {} };
  const { clients } = new LiveViews().next(stats(0), { clients: [details], channels: [] }, 0);
  expect(clients[0]).toEqual({ id: "alice", transport: "quic", host: "192.0.2.1", isAway: false, channels: 0 });
});
