// SPDX-License-Identifier: Apache-2.0
/** What one connection may cost. */
export interface ConnectionLimits {
  /** Streams of each kind, bidirectional and unidirectional, that the other end may have open at once. */
  maxIncomingStreams: number;
  /** Received bytes that nobody has read yet, in all streams. The other end waits when it is reached. */
  maxUnreadBytes: number;
}

/** As for QUIC. */
export const defaultConnectionLimits: ConnectionLimits = {
  maxIncomingStreams: 8192,
  maxUnreadBytes: 64 * 1024 * 1024,
};
