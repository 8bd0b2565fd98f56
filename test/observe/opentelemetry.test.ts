/** With the SDK of OpenTelemetry, all in memory; and without one. */
import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { DataPoint, MetricData } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { eventMetrics } from "../../src/observe/event-metrics.ts";
import { observe } from "../../src/observe/index.ts";
import {
  instrument,
  instrumentClient,
  traceContextOf,
  withTraceContext,
} from "../../src/observe/opentelemetry/index.ts";
import { clientMetrics, stateMetrics } from "../../src/observe/state-metrics.ts";
import { Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { parsePrometheus, valueOf } from "./prometheus-parser.ts";

let hub: Hub | undefined;
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

test("without an SDK nothing happens, and everything works", async () => {
  hub = await Hub.start(memoryKind);
  const stop = instrument(hub.coordinator, { perClient: true });
  const alice = await hub.join("alice");
  const stopClient = instrumentClient(alice);
  const bob = await hub.join("bob");
  const [toBob] = await hub.link(alice, bob, withTraceContext({ room: 7 }));
  expect(toBob.metadata).toEqual({ room: 7 });
  expect(trace.getSpanContext(traceContextOf(toBob.metadata))).toBeUndefined();
  stopClient();
  stop();
});

describe("with an SDK", () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const meters = new MeterProvider({ readers: [reader] });
  const spans = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const tracer = tracers.getTracer("test");

  beforeAll(() => {
    metrics.setGlobalMeterProvider(meters);
    trace.setGlobalTracerProvider(tracers);
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  });
  afterEach(() => spans.reset());
  afterAll(async () => {
    await meters.shutdown();
    await tracers.shutdown();
    metrics.disable();
    trace.disable();
    propagation.disable();
  });

  async function collect(): Promise<Map<string, MetricData>> {
    exporter.reset();
    await reader.forceFlush();
    const [resource] = exporter.getMetrics();
    const all = (resource?.scopeMetrics ?? []).filter(({ scope }) => scope.name === "conec");
    return new Map(all.flatMap((scope) => scope.metrics).map((metric) => [metric.descriptor.name, metric]));
  }

  function valueIn(all: Map<string, MetricData>, name: string, attributes: object = {}): unknown {
    const points = all.get(name)!.dataPoints as DataPoint<unknown>[];
    return points.find((point) => JSON.stringify(point.attributes) === JSON.stringify(attributes))?.value;
  }

  test("metrics: the same as Prometheus gets, under their own names; nothing after the end", async () => {
    hub = await Hub.start(quicKind);
    const observer = observe(hub.coordinator);
    const stop = instrument(hub.coordinator, { perClient: true });
    const alice = await hub.join("alice");
    const bob = await hub.join("bob");
    const [toBob, toAlice] = await hub.link(alice, bob);
    const writer = (await toBob.createUnidirectionalStream()).getWriter();
    const readable = await next(toAlice.incomingUnidirectionalStreams);
    await writer.write(new Uint8Array(100));
    await next(readable);

    const all = await collect();
    const known = [...stateMetrics, ...clientMetrics, ...eventMetrics];
    for (const { name, unit, description, kind } of known) {
      const metric = all.get(name);
      // What has no value yet is not exported.
      if (metric === undefined) continue;
      expect(metric.descriptor).toMatchObject({ name, unit, description });
      expect(kind === "counter").toBe("isMonotonic" in metric && metric.isMonotonic);
    }
    const forwarded = valueIn(all, "conec.coordinator.forwarded.io");
    expect(forwarded).toBe(102);
    const families = parsePrometheus(await observer.prometheus());
    expect(forwarded).toBe(valueOf(families, "conec_coordinator_forwarded_io_bytes_total"));
    expect(valueIn(all, "conec.coordinator.active_clients", { "conec.client.state": "connected" })).toBe(2);
    expect(valueIn(all, "conec.coordinator.join.duration", { "conec.transport": "quic" })).toMatchObject({ count: 2 });
    const rtt = { "conec.client.id": "alice", "conec.transport": "quic" };
    expect(valueIn(all, "conec.coordinator.client.rtt", rtt)).toBeGreaterThanOrEqual(0);

    stop();
    await hub.join("carol");
    const after = await collect();
    expect(valueIn(after, "conec.coordinator.join.duration", { "conec.transport": "quic" })).toMatchObject({
      count: 2,
    });
    // The SDK goes on with the last value that it was given.
    expect(valueIn(after, "conec.coordinator.active_clients", { "conec.client.state": "connected" })).toBe(2);
    await observer.close();
  });

  test("metrics of a Client, until it is closed", async () => {
    hub = await Hub.start(quicKind);
    const alice = await hub.join("alice");
    instrumentClient(alice);
    const all = await collect();
    const attributes = { "conec.transport": "quic" };
    expect(valueIn(all, "conec.client.active_channels", attributes)).toBe(1);
    const sent = valueIn(all, "conec.client.io", { ...attributes, "network.io.direction": "transmit" });
    expect(sent).toBeGreaterThan(1000);
    const back = new Promise<void>((resolve) =>
      alice.addEventListener("statechange", () => {
        if (alice.state === "connected") resolve();
      }),
    );
    alice.reconnect();
    await back;
    expect(valueIn(await collect(), "conec.client.lost_connections")).toBe(1);
    await alice.close();
    let asked = 0;
    alice.getStats = async () => {
      asked += 1;
      throw new Error("Nobody asks any more");
    };
    await collect();
    expect(asked).toBe(0);
  });

  test("spans: joining, refusal, introduction, the life of a channel, in the trace that the metadata names", async () => {
    hub = await Hub.start(memoryKind, {
      authenticate: ({ requestedId }) => {
        if (requestedId === "mallory") throw new Error("Not you");
        return {};
      },
    });
    const stop = instrument(hub.coordinator);
    const alice = await hub.join("alice");
    const bob = await hub.join("bob");
    await rejection(hub.join("mallory"));
    const closed = new Promise<void>((resolve) =>
      hub!.coordinator.subscribe(({ type }) => {
        if (type === "channel-closed") resolve();
      }),
    );

    // No context manager is set up here: the metadata is what connects.
    const parent = tracer.startSpan("call");
    const metadata = {};
    propagation.inject(trace.setSpan(context.active(), parent), metadata);
    const [toBob, toAlice] = await hub.link(alice, bob, metadata);
    parent.end();
    expect(trace.getSpanContext(traceContextOf(toAlice.metadata))!.traceId).toBe(parent.spanContext().traceId);
    await toBob.close();
    await closed;
    stop();

    const finished = spans.getFinishedSpans();
    const named = (name: string) => finished.filter((span) => span.name === name);
    const [first, , refused] = named("conec.join");
    expect(first).toMatchObject({
      kind: SpanKind.SERVER,
      attributes: { "conec.client.id": "alice", "conec.transport": "memory" },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(refused).toMatchObject({
      attributes: { "error.type": "refused" },
      status: { code: SpanStatusCode.ERROR, message: "Not you" },
    });
    for (const name of ["conec.introduce", "conec.channel"]) {
      const [span, ...more] = named(name);
      expect(more).toEqual([]);
      expect(span).toMatchObject({
        attributes: { "conec.channel.id": 1, "conec.between": ["alice", "bob"] },
        parentSpanContext: { spanId: parent.spanContext().spanId },
      });
    }
  });

  test("a trace that a hostile Client names is none, and its metadata goes into no span", async () => {
    hub = await Hub.start(memoryKind);
    const stop = instrument(hub.coordinator);
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    for (const traceparent of [
      "00-zz",
      { toString: "x" },
      7,
      `00-${"0".repeat(32)}-${"0".repeat(16)}-01`,
      "x".repeat(3000),
    ])
      await hub.link(alice, bob, { traceparent, secret: "of both" });
    stop();
    const introduced = spans.getFinishedSpans().filter(({ name }) => name === "conec.introduce");
    expect(introduced).toHaveLength(5);
    expect(introduced.map(({ parentSpanContext }) => parentSpanContext)).toEqual(Array(5).fill(undefined));
    expect(JSON.stringify(introduced.map(({ attributes }) => attributes))).not.toMatch("secret");
  });
});
