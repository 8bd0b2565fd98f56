// SPDX-License-Identifier: Apache-2.0
/**
 * Windows of HTTP/2 (RFC 9113, section 5.2): of a connection and of a request, whose bytes are all taken in at once and
 * held back by the windows within the session. Its default of 64 KiB would allow no more than that in a round trip.
 */
export const http2WindowBytes = 4 * 1024 * 1024;

/** What is used of Node's `Http2Session`. */
export interface Http2Connection {
  readonly destroyed: boolean;
  ping: (...args: never[]) => boolean;
  setLocalWindowSize(bytes: number): void;
}

/** Before `@fails-components/webtransport` (1.6.8) pings it: it does so also while it is being destroyed, which throws. */
export function guardPings(connection: Http2Connection): void {
  const ping = connection.ping.bind(connection);
  connection.ping = (...args) => !connection.destroyed && ping(...args);
}
