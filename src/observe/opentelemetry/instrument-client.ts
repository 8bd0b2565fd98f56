// SPDX-License-Identifier: Apache-2.0
import { metrics } from "@opentelemetry/api";
import type { Meter } from "@opentelemetry/api";

import type { Client } from "../../index.ts";

/**
 * Gives figures of a Client's connection to OpenTelemetry (meter `conec`): round-trip time, bytes, lost packets, open
 * channels, and how often the connection was lost. A transport that does not tell a figure has none. Call it after the SDK was
 * set up. Returns what ends it; a closed Client ends it, too.
 *
 * @example
 * ```ts
 * import { instrumentClient } from "conec/opentelemetry";
 * instrumentClient(client);
 * ```
 */
export function instrumentClient(client: Client): () => void {
  const meter = metrics.getMeter("conec");
  const rtt = meter.createObservableGauge("conec.client.rtt", {
    unit: "s",
    description: "Smoothed round-trip time to the Coordinator",
  });
  const io = meter.createObservableCounter("conec.client.io", {
    unit: "By",
    description: "Bytes on the wire of the connection; begins again with another one",
  });
  const lost = meter.createObservableCounter("conec.client.lost_packets", {
    unit: "{packet}",
    description: "Packets of the connection that were lost",
  });
  const channels = meter.createObservableUpDownCounter("conec.client.active_channels", {
    unit: "{channel}",
    description: "Open channels, the one with the Coordinator included",
  });
  const reconnections = meter.createCounter("conec.client.lost_connections", {
    unit: "{connection}",
    description: "How often the connection was lost and made again, or tried to be",
  });
  const observables = [rtt, io, lost, channels];
  const callback: Parameters<Meter["addBatchObservableCallback"]>[0] = async (result) => {
    const { transport, rttMs, bytesSent, bytesReceived, packetsLost, channels: open } = await client.getStats();
    const attributes = { "conec.transport": transport };
    if (rttMs !== undefined) result.observe(rtt, rttMs / 1000, attributes);
    if (bytesSent !== undefined) result.observe(io, bytesSent, { ...attributes, "network.io.direction": "transmit" });
    if (bytesReceived !== undefined)
      result.observe(io, bytesReceived, { ...attributes, "network.io.direction": "receive" });
    if (packetsLost !== undefined) result.observe(lost, packetsLost, attributes);
    result.observe(channels, open, attributes);
  };
  const onStateChange = (): void => {
    if (client.state === "reconnecting") reconnections.add(1);
    if (client.state === "closed") stop();
  };
  const stop = (): void => {
    client.removeEventListener("statechange", onStateChange);
    meter.removeBatchObservableCallback(callback, observables);
  };
  meter.addBatchObservableCallback(callback, observables);
  client.addEventListener("statechange", onStateChange);
  return stop;
}
