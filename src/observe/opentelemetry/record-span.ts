// SPDX-License-Identifier: Apache-2.0
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Attributes, Context, SpanOptions, Tracer } from "@opentelemetry/api";

import type { ConecError, CoordinatorEvent, ForwardedChannel, Metadata } from "../../index.ts";
import { traceContextOf } from "./trace-context.ts";

/** Makes a span of an event that has a duration. Metadata is not recorded. */
export function recordSpan(tracer: Tracer, event: CoordinatorEvent): void {
  switch (event.type) {
    case "joined":
    case "refused": {
      const { transport, remote, durationMs } = event;
      const attributes = {
        "conec.transport": transport,
        "client.address": remote.host,
        "client.port": remote.port,
        ...(event.type === "joined" && { "conec.client.id": event.client.id }),
      };
      const error = event.type === "refused" ? event.error : undefined;
      return record(tracer, "conec.join", { kind: SpanKind.SERVER, attributes, durationMs, error });
    }
    case "channel-opened": {
      const { channel, durationMs } = event;
      if (durationMs === undefined) return;
      return record(tracer, "conec.introduce", {
        attributes: channelAttributes(channel),
        durationMs,
        parent: parentOf(channel.metadata),
      });
    }
    case "channel-refused": {
      const { between, metadata, error, durationMs } = event;
      const attributes = { "conec.between": between.map(({ id }) => id) };
      return record(tracer, "conec.introduce", { attributes, durationMs, error, parent: parentOf(metadata) });
    }
    case "channel-closed": {
      const { channel, error, durationMs } = event;
      const [there, back] = channel.bytesForwarded;
      const attributes = {
        ...channelAttributes(channel),
        "conec.streams": channel.streamsForwarded,
        "conec.bytes": there + back,
      };
      // Whoever happened to close it is not the cause of it.
      return record(tracer, "conec.channel", {
        attributes,
        durationMs,
        error,
        parent: traceContextOf(channel.metadata),
      });
    }
    default:
  }
}

interface Recorded extends SpanOptions {
  attributes: Attributes;
  durationMs: number;
  error?: ConecError | undefined;
  parent?: Context;
}

function record(tracer: Tracer, name: string, { durationMs, error, parent, ...options }: Recorded): void {
  const nowMs = Date.now();
  const span = tracer.startSpan(name, { ...options, startTime: nowMs - durationMs }, parent);
  if (error !== undefined) {
    span.setAttribute("error.type", error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  span.end(nowMs);
}

/** The trace that the metadata names, or the one in which the Coordinator's program works. */
function parentOf(metadata: Metadata): Context {
  const named = traceContextOf(metadata);
  return trace.getSpanContext(named) === undefined ? context.active() : named;
}

function channelAttributes({ id, between }: ForwardedChannel): Attributes {
  return { "conec.channel.id": id, "conec.between": between.map((peer) => peer?.id ?? "") };
}
