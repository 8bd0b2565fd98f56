// SPDX-License-Identifier: Apache-2.0
import type { Aggregated } from "./aggregate.ts";
import type { Attributes, Metric, Point } from "./metric.ts";

/** The text format of Prometheus, version 0.0.4. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/** A metric with all its values, as text. Empty if there are none. */
export function prometheusText(metric: Metric, values: readonly Point[] | readonly Aggregated[]): string {
  if (values.length === 0) return "";
  const name = prometheusName(metric);
  const lines = values.flatMap((value) =>
    "value" in value ? sample(name, value.attributes, value.value) : aggregatedLines(name, metric, value),
  );
  const type = metric.kind === "updowncounter" ? "gauge" : metric.kind;
  return [`# HELP ${name} ${escapeHelp(metric.description)}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

/**
 * A metric's name in Prometheus, as OpenTelemetry's own exporters make it (Prometheus and OpenMetrics Compatibility): dots
 * become underscores, then come the unit, unless it only says what is counted, and `total` for what only rises.
 */
export function prometheusName({ name, kind, unit }: Metric): string {
  return `${name.replaceAll(".", "_")}${unitSuffixes[unit] ?? ""}${kind === "counter" ? "_total" : ""}`;
}

const unitSuffixes: Record<string, string> = { By: "_bytes", s: "_seconds" };

function aggregatedLines(name: string, { kind, buckets = [] }: Metric, aggregated: Aggregated): string[] {
  const { attributes, sum, count } = aggregated;
  if (kind !== "histogram") return [sample(name, attributes, sum)];
  let soFar = 0;
  const bucketLines = [...buckets, Infinity].map((bound, index) => {
    soFar += aggregated.buckets[index]!;
    return sample(`${name}_bucket`, { ...attributes, le: numberText(bound) }, soFar);
  });
  return [...bucketLines, sample(`${name}_sum`, attributes, sum), sample(`${name}_count`, attributes, count)];
}

function sample(name: string, attributes: Attributes, value: number): string {
  const labels = Object.entries(attributes).map(
    ([key, text]) => `${key.replaceAll(".", "_")}="${escapeLabel(String(text))}"`,
  );
  return `${name}${labels.length === 0 ? "" : `{${labels.join(",")}}`} ${numberText(value)}`;
}

function numberText(value: number): string {
  return value === Infinity ? "+Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
