// SPDX-License-Identifier: Apache-2.0
import type { ConecError, CoordinatorEvent } from "../index.ts";
import type { Attributes, Metric } from "./metric.ts";

/** Something that happened, as one more value of a metric. */
export interface Measurement {
  readonly metric: Metric;
  /** Of a histogram: the value; of a counter: how much more. */
  readonly value: number;
  readonly attributes: Attributes;
}

/** Short times: those of the semantic conventions for HTTP requests. */
const shortSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** From a second to a day. */
const longSeconds = [0.1, 1, 10, 60, 300, 1800, 3600, 14_400, 86_400];

const joinDuration: Metric = {
  name: "conec.coordinator.join.duration",
  kind: "histogram",
  unit: "s",
  description: "From the connection until the Client is let in, or turned away by the error",
  buckets: shortSeconds,
};
const departures: Metric = {
  name: "conec.coordinator.departures",
  kind: "counter",
  unit: "{client}",
  description: "Clients that are gone; with an error, if neither side wished it",
};
const lostConnections: Metric = {
  name: "conec.coordinator.lost_connections",
  kind: "counter",
  unit: "{connection}",
  description: "Connections that were lost and whose Client is waited for",
};
const resumptions: Metric = {
  name: "conec.coordinator.resumptions",
  kind: "counter",
  unit: "{client}",
  description: "Clients that have gone on over another connection",
};
const introductionDuration: Metric = {
  name: "conec.coordinator.introduction.duration",
  kind: "histogram",
  unit: "s",
  description: "From introduce until both have accepted the channel, or it failed by the error",
  buckets: shortSeconds,
};
const passedChannels: Metric = {
  name: "conec.coordinator.passed_channels",
  kind: "counter",
  unit: "{channel}",
  description: "Ends of channels that were handed to somebody else",
};
const channelDuration: Metric = {
  name: "conec.coordinator.channel.duration",
  kind: "histogram",
  unit: "s",
  description: "How long channels between two parties were open; with an error, if neither side closed them",
  buckets: longSeconds,
};

/** Metrics that are counted as things happen. */
export const eventMetrics: readonly Metric[] = [
  joinDuration,
  departures,
  lostConnections,
  resumptions,
  introductionDuration,
  passedChannels,
  channelDuration,
];

/** What an event adds to the metrics. */
export function measurementsOf(event: CoordinatorEvent): Measurement[] {
  switch (event.type) {
    case "joined":
      return [seconds(joinDuration, event.durationMs, { "conec.transport": event.transport })];
    case "refused":
      return [
        seconds(joinDuration, event.durationMs, { "conec.transport": event.transport, ...errorType(event.error) }),
      ];
    case "left":
      return [one(departures, errorType(event.error))];
    case "away":
      return [one(lostConnections)];
    case "back":
      return [one(resumptions)];
    case "channel-opened":
      return event.durationMs === undefined ? [] : [seconds(introductionDuration, event.durationMs)];
    case "channel-refused":
      return [seconds(introductionDuration, event.durationMs, errorType(event.error))];
    case "channel-passed":
      return [one(passedChannels)];
    case "channel-closed":
      return [seconds(channelDuration, event.durationMs, errorType(event.error))];
    case "limited":
      return []; // counted by the Coordinator itself
  }
}

/** The attribute of the semantic conventions: absent where all went well. */
function errorType(error: ConecError | undefined): Attributes {
  return error === undefined ? {} : { "error.type": error.code };
}

function seconds(metric: Metric, durationMs: number, attributes: Attributes = {}): Measurement {
  return { metric, value: durationMs / 1000, attributes };
}

function one(metric: Metric, attributes: Attributes = {}): Measurement {
  return { metric, value: 1, attributes };
}
