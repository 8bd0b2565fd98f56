// SPDX-License-Identifier: Apache-2.0
import type { Metric } from "./metric.ts";
import { prometheusText } from "./prometheus-text.ts";

/** Figures of this process, by the names that Prometheus' own client libraries give them. */
export function processText(): string {
  const { user, system } = process.cpuUsage();
  return [
    text("process.cpu", "counter", "s", "User and system CPU time", (user + system) / 1e6),
    text("process.resident_memory", "gauge", "By", "Resident memory", process.memoryUsage.rss()),
    text(
      "process.start_time",
      "gauge",
      "s",
      "When the process started, since the epoch",
      performance.timeOrigin / 1000,
    ),
  ].join("");
}

function text(name: string, kind: Metric["kind"], unit: string, description: string, value: number): string {
  return prometheusText({ name, kind, unit, description }, [{ value, attributes: {} }]);
}
