// SPDX-License-Identifier: Apache-2.0
/** Watching a Coordinator: metrics for Prometheus, a live page, structured logs. For Node. */
export { jsonLogger } from "./json-logger.ts";
export { logTo } from "./log-to.ts";
export type { LogFields, Logger } from "./log-to.ts";
export type { LiveChannel, LiveClient, LiveFlow, LiveTotals, LiveView } from "./live-view.ts";
export { observe } from "./observer.ts";
export type { ObserveOptions, Observer } from "./observer.ts";
export type { ObserverListenOptions, ObserverServer } from "./observer-server.ts";
