// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../../core/errors.ts";
import { checkOptions } from "../../../core/options.ts";
import { checkedInteger, maxTimerMs } from "../connect-options.ts";
import { defaultConnectionLimits } from "../connection-limits.ts";
import { defaultHandshakeLimits } from "./handshakes.ts";
import { HttpsHost } from "./https-host.ts";
import type { WebSocketListener, WebSocketListenLimits, WebSocketListenOptions } from "./listen-options.ts";
import { UpgradeListener } from "./upgrade-listener.ts";

/**
 * Takes connections over WebSocket: on a server of its own, or on one that is there. What asks it for anything but a
 * WebSocket gets the answer 426.
 *
 * @throws ConecError `address-in-use`, `invalid-argument`
 * @example
 * ```ts
 * import * as quic from "conec/quic";
 * import * as websocket from "conec/websocket";
 *
 * coordinator.serve(await quic.listen({ port: 4433, cert, key }));
 * coordinator.serve(await websocket.listen({ port: 4433, cert, key }));
 * ```
 */
export async function listen(given: WebSocketListenOptions): Promise<WebSocketListener> {
  const options = checkOptions(given, "listen");
  const { signal, server } = options;
  signal?.throwIfAborted();
  const idleTimeoutMs = checkedInteger("idleTimeoutMs", options.idleTimeoutMs ?? 15_000, 1, maxTimerMs);
  const limits = checkedLimits(options.limits);
  const allowedOrigins = options.allowedOrigins && new Set(options.allowedOrigins.map(checkedOrigin));
  const own = server === undefined ? await HttpsHost.open(options, limits.handshakeTimeoutMs) : undefined;
  const listener = new UpgradeListener({ server: own?.server ?? server!, own, idleTimeoutMs, limits, allowedOrigins });
  if (signal?.aborted === true) {
    await listener.close();
    throw signal.reason;
  }
  return listener;
}

function checkedLimits(limits: Partial<WebSocketListenLimits> = {}): WebSocketListenLimits {
  const all = { ...defaultHandshakeLimits, ...defaultConnectionLimits };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(all, name)) throw new ConecError("invalid-argument", `There is no limit called ${name}`);
    const max = name === "handshakeTimeoutMs" ? maxTimerMs : Number.MAX_SAFE_INTEGER;
    if (value !== undefined) all[name as keyof WebSocketListenLimits] = checkedInteger(name, value, 0, max);
  }
  return all;
}

/** An origin as browsers send it (RFC 6454, section 6.2): a scheme, a host, a port unless it is the default. */
function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw new ConecError("invalid-argument", `Cannot use \`allowedOrigins\`: ${origin} is not an origin`);
}
