// SPDX-License-Identifier: Apache-2.0
import { STATUS_CODES } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import { subprotocol } from "../subprotocol.ts";

/** Whether this request asks for a WebSocket of conec. */
export function asksForConec({ headers }: IncomingMessage): boolean {
  const offered = headers["sec-websocket-protocol"] ?? "";
  return (
    headers.upgrade?.toLowerCase() === "websocket" && offered.split(",").some((each) => each.trim() === subprotocol)
  );
}

/**
 * What is wrong with a request that asks for a WebSocket of conec, as a status of HTTP. The rest (the version, the key) is
 * for the package `ws` to look at.
 *
 * @param allowedOrigins undefined: any. A request that names none is not one of a browser, and is let in
 */
export function faultOf(request: IncomingMessage, allowedOrigins: ReadonlySet<string> | undefined): number | undefined {
  const { origin } = request.headers;
  if (!asksForConec(request) || request.url?.startsWith("/") !== true) return 400;
  if (allowedOrigins !== undefined && origin !== undefined && !allowedOrigins.has(origin)) return 403;
  return undefined;
}

/** Answers a request for an upgrade with a status and ends its connection. */
export function refuse(socket: Socket, status: number): void {
  const text = STATUS_CODES[status] ?? "";
  socket.on("error", () => {}); // it may be gone already
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
