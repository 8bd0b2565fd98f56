// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";

/** What both clients take, in a browser and in Node. */
export interface CommonConnectOptions {
  /** How long `connect` may take. Default 10000. */
  connectTimeoutMs?: number | undefined;
  /** A connection on which nothing is heard for this long is lost. Default 15000. */
  idleTimeoutMs?: number | undefined;
  /** A connection on which nothing was heard for about this long is asked for a sign of life. Default 5000. */
  keepAliveIntervalMs?: number | undefined;
}

/** With defaults. @throws ConecError `invalid-argument` */
export function checkedTimes(options: CommonConnectOptions): Record<keyof CommonConnectOptions, number> {
  return {
    connectTimeoutMs: checkedInteger("connectTimeoutMs", options.connectTimeoutMs ?? 10_000, 1, maxTimerMs),
    idleTimeoutMs: checkedInteger("idleTimeoutMs", options.idleTimeoutMs ?? 15_000, 1, maxTimerMs),
    keepAliveIntervalMs: checkedInteger("keepAliveIntervalMs", options.keepAliveIntervalMs ?? 5000, 1, maxTimerMs),
  };
}

/** @throws ConecError `invalid-argument` */
export function checkedInteger(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ConecError("invalid-argument", `${name} must be an integer from ${min} to ${max}, not ${String(value)}`);
}

/** Where a URL of a Coordinator leads: the same URL as for other transports, `https://host:port/path`. */
export interface Target {
  /** The same place as a WebSocket: `wss://…`. */
  readonly href: string;
  readonly host: string;
  readonly port: number;
}

/** @throws ConecError `invalid-argument` */
export function parseTarget(url: string | URL): Target {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new ConecError("invalid-argument", `Cannot connect to ${String(url).slice(0, 100)}: not a URL`, { cause });
  }
  if (parsed.protocol !== "https:") {
    throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: only https: URLs are dialled`);
  }
  const port = parsed.port === "" ? 443 : Number(parsed.port);
  if (port === 0) throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: port 0`);
  if (parsed.hash !== "")
    throw new ConecError("invalid-argument", `Cannot connect to ${parsed.href}: it has a fragment`);
  const href = `wss://${parsed.host}${parsed.pathname}${parsed.search}`;
  return { href, host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

export const maxTimerMs = 2 ** 31 - 1;
