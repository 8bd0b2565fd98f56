import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";

import { Client } from "../../src/index.ts";
import type { Channel, CoordinatorOptions, Listener } from "../../src/index.ts";
import { eventMetrics } from "../../src/observe/event-metrics.ts";
import { observe } from "../../src/observe/index.ts";
import type { Observer, ObserveOptions } from "../../src/observe/index.ts";
import { prometheusName } from "../../src/observe/prometheus-text.ts";
import { clientMetrics, stateMetrics } from "../../src/observe/state-metrics.ts";
import { Hub, memoryKind, next, quicKind, rejection, websocketKind } from "../support/hub.ts";
import type { TransportKind } from "../support/hub.ts";
import { parsePrometheus, valueOf } from "./prometheus-parser.ts";
import type { Family } from "./prometheus-parser.ts";

let hub: Hub | undefined;
let observer: Observer | undefined;
afterEach(async () => {
  await observer?.close();
  await hub?.close();
  hub = undefined;
});

async function start(kind: TransportKind, options?: CoordinatorOptions): Promise<Hub> {
  hub = await Hub.start(kind, options);
  observer = observe(hub.coordinator);
  return hub;
}

async function scrape(): Promise<Map<string, Family>> {
  return parsePrometheus(await observer!.prometheus());
}

/** Sends so many messages of this size until all are received. Returns the bytes that the channel carried for it. */
async function transfer(from: Channel, to: Channel, messages: number, size: number): Promise<number> {
  const writer = (await from.createUnidirectionalStream()).getWriter();
  const readable = await next(to.incomingUnidirectionalStreams);
  const received = (async () => {
    let bytes = 0;
    for await (const message of readable) bytes += message.length;
    return bytes;
  })();
  for (let sent = 0; sent < messages; sent += 1) await writer.write(new Uint8Array(size));
  await writer.close();
  expect(await received).toBe(messages * size);
  // Before each message stands a varint of its length plus 1 (RFC 9000, section 16); the end is one byte.
  const headBytes = size + 1 < 64 ? 1 : size + 1 < 16_384 ? 2 : 4;
  return messages * (headBytes + size) + 1;
}

for (const kind of [memoryKind, quicKind, websocketKind]) {
  test(`real traffic over ${kind.name}: every figure is right`, async () => {
    const { coordinator } = await start(kind);
    const [alice, bob] = [await hub!.join("alice"), await hub!.join("bob")];
    const [toBob, toAlice] = await hub!.link(alice, bob);
    let bytes = 0;
    bytes += await transfer(toBob, toAlice, 10, 50_000);
    bytes += await transfer(toAlice, toBob, 3, 10);
    const writer = (await toBob.createUnidirectionalStream()).getWriter();
    await writer.write(new Uint8Array(5));
    const readable = await next(toAlice.incomingUnidirectionalStreams);
    await next(readable);
    bytes += 6;

    let families = await scrape();
    const value = (name: string, labels?: Record<string, string>): number =>
      valueOf(families, `conec_coordinator_${name}`, labels);
    expect(value("active_clients", { conec_client_state: "connected" })).toBe(2);
    expect(value("active_clients", { conec_client_state: "away" })).toBe(0);
    expect(value("pending_connections")).toBe(0);
    expect(value("active_channels")).toBe(1);
    expect(value("active_streams")).toBe(1);
    expect(value("forwarded_streams_total")).toBe(3);
    expect(value("forwarded_io_bytes_total")).toBe(bytes);
    expect(value("join_duration_seconds_count", { conec_transport: kind.name })).toBe(2);
    expect(value("introduction_duration_seconds_count")).toBe(1);
    expect(value("departures_total")).toBe(0);
    expect(valueOf(families, "process_resident_memory_bytes")).toBeGreaterThan(1e6);

    const left = new Promise<void>((resolve) =>
      coordinator.subscribe(({ type }) => {
        if (type === "left") resolve();
      }),
    );
    await writer.close();
    await toBob.close();
    await bob.close();
    await left;
    families = await scrape();
    expect(value("active_channels")).toBe(0);
    expect(value("active_streams")).toBe(0);
    expect(value("forwarded_io_bytes_total")).toBe(bytes + 1);
    expect(value("channel_duration_seconds_count")).toBe(1);
    expect(value("departures_total")).toBe(1);
    expect(value("active_clients", { conec_client_state: "connected" })).toBe(1);
  });
}

test("refusals by the code of the error, limits by their names", async () => {
  await start(memoryKind, {
    authenticate: ({ requestedId }) => {
      if (requestedId?.startsWith("mallory") === true) throw new Error("Not you");
      return {};
    },
    limits: { maxClients: 1 },
  });
  await hub!.join("alice");
  for (const id of ["mallory1", "mallory2", "bob"]) await rejection(hub!.join(id));
  const families = await scrape();
  const refused = (code: string): number =>
    valueOf(families, "conec_coordinator_refused_connections_total", { error_type: code });
  expect([refused("refused"), refused("limit-exceeded")]).toEqual([2, 1]);
  expect(valueOf(families, "conec_coordinator_limit_hits_total", { conec_limit: "maxClients" })).toBe(1);
  const labels = { conec_transport: "memory", error_type: "refused" };
  expect(valueOf(families, "conec_coordinator_join_duration_seconds_count", labels)).toBe(2);
});

test("listeners: each by its transport and port", async () => {
  const quic = await quicKind.listen();
  const websocket = await websocketKind.listen();
  hub = await Hub.start(memoryKind);
  const listeners: Listener[] = [quic.listener, websocket.listener];
  for (const listener of listeners) hub.coordinator.serve(listener);
  observer = observe(hub.coordinator, { listeners });
  const clients: Client[] = [];
  for (const { url, transport } of [quic, quic, websocket]) clients.push(await Client.connect(url, { transport }));
  const families = await scrape();
  const value = (name: string, { transport, address }: Listener, labels = {}): number => {
    const own = { conec_transport: transport, server_port: String(address.port) };
    return valueOf(families, `conec_listener_${name}`, { ...own, ...labels });
  };
  expect(value("active_connections", quic.listener)).toBe(2);
  expect(value("active_connections", websocket.listener)).toBe(1);
  expect(value("handshakes_total", quic.listener, { conec_handshake_outcome: "accepted" })).toBe(2);
  expect(value("handshakes_total", quic.listener, { conec_handshake_outcome: "failed" })).toBe(0);
  expect(value("handshakes_total", websocket.listener, { conec_handshake_outcome: "accepted" })).toBe(1);
  expect(value("violations_total", quic.listener, { conec_violation: "protocol" })).toBe(0);
  await Promise.all(clients.map((client) => client.close()));
});

test("who connects makes no new series, unless each Client was asked for; hostile ids are labels and nothing else", async () => {
  const ids = [`"} 1\\n#`, "\\", 'a"b', "<script>alert(1)</script>", "{}", "𝕏, é"];
  await start(quicKind);
  const series = async (options: ObserveOptions): Promise<string[]> => {
    const own = observe(hub!.coordinator, options);
    const families = parsePrometheus(await own.prometheus());
    await own.close();
    return [...families.values()].flatMap(({ samples }) =>
      samples.map(({ name, labels }) => JSON.stringify([name, labels])),
    );
  };
  await hub!.join("first");
  const before = await series({});
  for (const id of ids) await hub!.join(id);
  expect(await series({})).toEqual(before);

  observer = observe(hub!.coordinator, { perClient: true });
  const families = await scrape();
  const { samples } = families.get("conec_coordinator_client_rtt_seconds")!;
  expect(samples.map(({ labels }) => labels["conec_client_id"])).toEqual(["first", ...ids]);
  for (const id of ids) {
    const labels = { conec_client_id: id, conec_transport: "quic", network_io_direction: "receive" };
    expect(valueOf(families, "conec_coordinator_client_io_bytes_total", labels)).toBeGreaterThan(0);
  }
});

test("the guide's table has all metrics, each as it is", () => {
  const guide = readFileSync(new URL("../../docs/guides/observe.md", import.meta.url), "utf8");
  const rows = guide.split("\n").flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    return /^`conec\.(coordinator|listener)\./.test(cells[1] ?? "") ? [cells.slice(1, 5)] : [];
  });
  const metrics = [...stateMetrics, ...clientMetrics, ...eventMetrics];
  const wanted = metrics.map((metric) => [
    `\`${metric.name}\``,
    metric.kind,
    `\`${metric.unit}\``,
    `\`${prometheusName(metric)}\``,
  ]);
  expect(rows.map(String).sort()).toEqual(wanted.map(String).sort());
});
