// SPDX-License-Identifier: Apache-2.0
/**
 * Metrics and traces by OpenTelemetry. It needs `@opentelemetry/api`, and does nothing until the program has set up an SDK.
 * Runs in Node and in browsers.
 */
export { instrumentClient } from "./instrument-client.ts";
export { instrument } from "./instrument.ts";
export type { InstrumentOptions } from "./instrument.ts";
export { traceContextOf, withTraceContext } from "./trace-context.ts";
