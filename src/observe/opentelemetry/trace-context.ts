// SPDX-License-Identifier: Apache-2.0
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import type { Context } from "@opentelemetry/api";

import type { Metadata } from "../../index.ts";

/**
 * The metadata with the trace that is active: give it to `createUnidirectionalStream`, `sendChannel` or `introduce`, and the
 * far end's spans belong to the same trace. With the propagator that an SDK sets up this is the key `traceparent` (W3C Trace
 * Context); without an SDK nothing is added.
 *
 * @example
 * ```ts
 * const writable = await channel.createUnidirectionalStream({ name: "job", metadata: withTraceContext() });
 * ```
 */
export function withTraceContext(metadata: Metadata = {}): Metadata {
  const traced = { ...metadata };
  propagation.inject(context.active(), traced);
  return traced;
}

/**
 * The trace that came with the metadata of a channel or stream, for spans of this end. It is what the other party says: a
 * stranger can name any trace. Without one: no trace.
 *
 * @example
 * ```ts
 * tracer.startActiveSpan("job", {}, traceContextOf(readable.metadata), async (span) => span.end());
 * ```
 */
export function traceContextOf(metadata: Metadata): Context {
  return propagation.extract(ROOT_CONTEXT, metadata);
}
