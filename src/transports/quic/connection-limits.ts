// SPDX-License-Identifier: Apache-2.0
/** What one connection may cost. */
export interface ConnectionLimits {
  /** Streams of the other end that are open at once; a bidirectional one counts for each of its directions. */
  maxIncomingStreams: number;
  /** Received bytes that nobody has read yet, in all streams. */
  maxUnreadBytes: number;
  /**
   * Streams of the other end in the lifetime of the connection. The engine remembers each (about 20 bytes). A connection
   * that has reached this or the next limit is closed with `limit-exceeded`, and the client may connect again.
   */
  maxStreamsInAll: number;
  /** Bytes sent, headers included. The keys of a connection are good for about 2^35 blocks of 16 (RFC 9001, section 6.6). */
  maxBytesSent: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxIncomingStreams: 8192,
  maxUnreadBytes: 64 * 1024 * 1024,
  maxStreamsInAll: 2 ** 24,
  maxBytesSent: 2 ** 39,
};
