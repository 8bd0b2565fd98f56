// SPDX-License-Identifier: Apache-2.0
/** What a metric is called and what it measures, by the semantic conventions of OpenTelemetry. */
export interface Metric {
  /** Lower case, parts parted by dots: `conec.coordinator.active_clients`. */
  readonly name: string;
  /** `counter` only rises; `updowncounter` is how many there are now, and can be summed; `gauge` cannot. */
  readonly kind: "counter" | "updowncounter" | "gauge" | "histogram";
  /** UCUM: `By`, `s`; `{client}` for things that are counted. */
  readonly unit: string;
  readonly description: string;
  /** Of a histogram: its bounds, rising. */
  readonly buckets?: readonly number[];
}

export type Attributes = Readonly<Record<string, string | number>>;

/** A value of a metric. */
export interface Point {
  readonly value: number;
  readonly attributes: Attributes;
}
