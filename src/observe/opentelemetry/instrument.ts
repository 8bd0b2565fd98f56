// SPDX-License-Identifier: Apache-2.0
import { metrics, trace } from "@opentelemetry/api";
import type { Counter, Histogram, Meter, Observable } from "@opentelemetry/api";

import type { Coordinator, Listener } from "../../index.ts";
import { eventMetrics, measurementsOf } from "../event-metrics.ts";
import type { Metric } from "../metric.ts";
import { readState } from "../read-state.ts";
import { clientMetrics, stateMetrics } from "../state-metrics.ts";
import { recordSpan } from "./record-span.ts";

/** What `instrument` takes. */
export interface InstrumentOptions {
  /** What the Coordinator serves, for metrics of handshakes and connections. */
  listeners?: readonly Listener[];
  /** Also metrics with a series for each Client that is here, by its id. Default false. */
  perClient?: boolean;
}

/**
 * Gives the metrics of a Coordinator to OpenTelemetry (meter `conec`), and spans (tracer `conec`) for joining, introducing, and
 * the life of each channel. Which names there are says docs/guides/observe.md. Call it after the SDK was set up. Returns what
 * ends it.
 *
 * @example
 * ```ts
 * import { instrument } from "conec/opentelemetry";
 * const stop = instrument(coordinator, { listeners: [listener] });
 * ```
 */
export function instrument(coordinator: Coordinator, options: InstrumentOptions = {}): () => void {
  const meter = metrics.getMeter("conec");
  const tracer = trace.getTracer("conec");
  const read = options.perClient === true ? [...stateMetrics, ...clientMetrics] : stateMetrics;
  const observables = new Map(read.map((metric) => [metric, createObservable(meter, metric)]));
  const instruments = new Map(eventMetrics.map((metric) => [metric, createInstrument(meter, metric)]));
  const callback: Parameters<Meter["addBatchObservableCallback"]>[0] = async (result) => {
    const state = await readState(coordinator, options);
    for (const [metric, observable] of observables) {
      for (const { value, attributes } of metric.read(state)) result.observe(observable, value, attributes);
    }
  };
  meter.addBatchObservableCallback(callback, [...observables.values()]);
  const unsubscribe = coordinator.subscribe((event) => {
    for (const { metric, value, attributes } of measurementsOf(event)) instruments.get(metric)!(value, attributes);
    recordSpan(tracer, event);
  });
  return () => {
    unsubscribe();
    meter.removeBatchObservableCallback(callback, [...observables.values()]);
  };
}

function createObservable(meter: Meter, { name, kind, unit, description }: Metric): Observable {
  switch (kind) {
    case "counter":
      return meter.createObservableCounter(name, { unit, description });
    case "updowncounter":
      return meter.createObservableUpDownCounter(name, { unit, description });
    default:
      return meter.createObservableGauge(name, { unit, description });
  }
}

function createInstrument(meter: Meter, { name, kind, unit, description, buckets = [] }: Metric): Counter["add"] {
  if (kind === "histogram") {
    const advice = { explicitBucketBoundaries: [...buckets] };
    const histogram: Histogram = meter.createHistogram(name, { unit, description, advice });
    return (value, attributes) => histogram.record(value, attributes);
  }
  const counter = meter.createCounter(name, { unit, description });
  return (value, attributes) => counter.add(value, attributes);
}
