// SPDX-License-Identifier: Apache-2.0
import type { Measurement } from "./event-metrics.ts";
import type { Attributes, Metric } from "./metric.ts";

/** What has come together of a metric for one set of attributes. */
export interface Aggregated {
  readonly attributes: Attributes;
  /** Of all values. */
  sum: number;
  count: number;
  /** Of a histogram: how many values lie in each bucket; the last is beyond the last bound. */
  readonly buckets: number[];
}

/** Adds measurements up. */
export class Aggregate {
  readonly #series = new Map<Metric, Map<string, Aggregated>>();

  /** Counters are there from the start, as 0: a rate needs the value before the first. */
  constructor(metrics: readonly Metric[]) {
    for (const metric of metrics) {
      this.#series.set(metric, new Map());
      if (metric.kind === "counter") this.add({ metric, value: 0, attributes: {} });
    }
  }

  add({ metric, value, attributes }: Measurement): void {
    const series = this.#series.get(metric)!;
    const key = JSON.stringify(attributes);
    let aggregated = series.get(key);
    if (aggregated === undefined) series.set(key, (aggregated = create(metric, attributes)));
    aggregated.sum += value;
    aggregated.count += 1;
    const bucket = (metric.buckets ?? []).findIndex((bound) => value <= bound);
    aggregated.buckets[bucket === -1 ? aggregated.buckets.length - 1 : bucket]! += 1;
  }

  of(metric: Metric): Aggregated[] {
    return [...this.#series.get(metric)!.values()];
  }
}

function create({ buckets = [] }: Metric, attributes: Attributes): Aggregated {
  return { attributes, sum: 0, count: 0, buckets: Array.from({ length: buckets.length + 1 }, () => 0) };
}
