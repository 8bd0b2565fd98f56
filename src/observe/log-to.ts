// SPDX-License-Identifier: Apache-2.0
import type { ConecError, Coordinator, CoordinatorEvent, ForwardedChannel, Remote } from "../index.ts";
import { LogThrottle } from "./log-throttle.ts";

/** What a message is about. Names are those of the attributes of OpenTelemetry, where there are any. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Takes structured logs: `console` is one. The message is one of a few fixed texts, all that varies is in the fields. */
export interface Logger {
  info(message: string, fields: LogFields): void;
  /** Something that should not happen in good times: a refusal, a lost connection, a limit. */
  warn(message: string, fields: LogFields): void;
}

/**
 * Has a logger told what happens at a Coordinator: who joins and leaves, who is refused and why, channels, limits. Of each
 * kind at most 20 a second are told, after a burst of 100: the next one then says in `suppressed` how many were not. So nobody
 * fills a disk. Returns what ends it. Metadata and credentials are never logged.
 *
 * @example
 * ```ts
 * logTo(coordinator, jsonLogger());
 * ```
 */
export function logTo(coordinator: Coordinator, logger: Logger): () => void {
  const throttle = new LogThrottle();
  return coordinator.subscribe((event) => {
    const suppressed = throttle.admit(event.type, performance.now());
    if (suppressed === undefined) return;
    const { level, message, fields } = logRecordOf(event);
    logger[level](message, suppressed === 0 ? fields : { ...fields, suppressed });
  });
}

interface LogRecord {
  level: keyof Logger;
  message: string;
  fields: LogFields;
}

function logRecordOf(event: CoordinatorEvent): LogRecord {
  switch (event.type) {
    case "joined":
      return info("Client joined", { ...client(event.client.id), ...from(event), ...seconds(event.durationMs) });
    case "refused":
      return warn("Connection refused", { ...fault(event.error), ...from(event), ...seconds(event.durationMs) });
    case "away":
      return warn("Client lost its connection", { ...client(event.client.id), ...fault(event.error) });
    case "back":
      return info("Client is back", client(event.client.id));
    case "left":
      return ending("Client left", { ...client(event.client.id) }, event);
    case "channel-opened":
      return info("Channel opened", { ...channel(event.channel), ...seconds(event.durationMs) });
    case "channel-refused": {
      const between = event.between.map(({ id }) => id);
      return warn("Channel refused", { "conec.between": between, ...fault(event.error), ...seconds(event.durationMs) });
    }
    case "channel-passed":
      return info("Channel passed", { ...channel(event.channel), "conec.to": event.to.id });
    case "channel-closed": {
      const { streamsForwarded, bytesForwarded } = event.channel;
      const [there, back] = bytesForwarded;
      const figures = { "conec.streams": streamsForwarded, "conec.bytes": there + back };
      return ending("Channel closed", { ...channel(event.channel), ...figures, ...seconds(event.durationMs) }, event);
    }
    case "limited":
      return warn("Limit reached", { "conec.limit": event.limit });
  }
}

function info(message: string, fields: LogFields): LogRecord {
  return { level: "info", message, fields };
}

function warn(message: string, fields: LogFields): LogRecord {
  return { level: "warn", message, fields };
}

/** In order, or by an error. */
function ending(message: string, fields: LogFields, { info: said, error }: Ending): LogRecord {
  if (error !== undefined) return warn(message, { ...fields, ...fault(error) });
  const { closeCode = 0, reason = "" } = said ?? {};
  return info(message, { ...fields, "conec.close_code": closeCode, ...(reason !== "" && { "conec.reason": reason }) });
}

type Ending = Pick<Extract<CoordinatorEvent, { type: "left" }>, "info" | "error">;

function client(id: string): LogFields {
  return { "conec.client.id": id };
}

function channel({ id, between }: ForwardedChannel): LogFields {
  return { "conec.channel.id": id, "conec.between": between.map((peer) => peer?.id ?? "") };
}

function from({ transport, remote }: { transport: string; remote: Remote }): LogFields {
  return { "conec.transport": transport, "client.address": remote.host, "client.port": remote.port };
}

function fault({ code, message }: ConecError): LogFields {
  return { "error.type": code, "error.message": message };
}

function seconds(durationMs: number | undefined): LogFields {
  return durationMs === undefined ? {} : { duration_s: Math.round(durationMs) / 1000 };
}
