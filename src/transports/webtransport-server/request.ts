// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import type { Remote } from "../../core/transport.ts";
import type { RequestHeader } from "./web-transport-server-like.ts";

/** What a request must be like. */
export interface RequestRules {
  /** Undefined: any. */
  path: string | undefined;
  /** Undefined: any. A request that names none is not one of a browser, and is let in. */
  allowedOrigins: ReadonlySet<string> | undefined;
}

/** Whether a request is for this listener at all. */
export function isFor(header: RequestHeader, { path }: RequestRules): boolean {
  return path === undefined || pathOf(header)?.replace(/[?#].*$/s, "") === path;
}

/** The HTTP status that a request is answered with: 200 is a session. */
export function statusFor(header: RequestHeader, { allowedOrigins }: RequestRules): number {
  // The server would speak WebSocket as well, over HTTP/1 and HTTP/2, where uploads come to a stop (its version 1.6.8).
  const protocol = header[":protocol"];
  if (header["upgrade"] !== undefined || (protocol !== undefined && !sessionProtocols.has(protocol))) return 404;
  const origin = originOf(header);
  return allowedOrigins === undefined || origin === undefined || allowedOrigins.has(origin) ? 200 : 403;
}

/** What a request says of who sent it; `peerAddress` is `address:port`. */
export function remoteOf(header: RequestHeader, peerAddress = ""): Remote {
  // IPv4 through a socket for both: `::ffff:192.0.2.1`.
  const [, host = "", port = "0"] = /^\[?(?:::ffff:(?=\d+\.))?(.*?)\]?:(\d+)$/s.exec(peerAddress) ?? [];
  const [path, origin] = [pathOf(header), originOf(header)];
  return { host, port: Number(port), ...(path !== undefined && { path }), ...(origin !== undefined && { origin }) };
}

/** An origin as browsers send it (RFC 6454, section 6.2): a scheme, a host, a port unless it is the default. */
export function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw new ConecError("invalid-argument", `Cannot use \`allowedOrigins\`: ${origin} is not an origin`);
}

const sessionProtocols: ReadonlySet<unknown> = new Set(["webtransport", "webtransport-h3"]);

function pathOf(header: RequestHeader): string | undefined {
  const path = header[":path"];
  return typeof path === "string" ? path : undefined;
}

/** Browsers send an origin or `null`; the package's own client, which is none, sends the bare name of the server. */
function originOf(header: RequestHeader): string | undefined {
  const origin = header["origin"];
  return typeof origin === "string" && (origin === "null" || origin.includes("://")) ? origin : undefined;
}
