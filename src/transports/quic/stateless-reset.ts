// SPDX-License-Identifier: Apache-2.0
import { createHmac, randomBytes } from "node:crypto";

const tokenBytes = 16;
/** 5 bytes that look like a packet, and the token (RFC 9000, section 10.3). */
export const leastResetBytes = 5 + tokenBytes;
const usualBytes = 43;

/** The token that goes with a connection id; a restarted server with the same key comes to the same. */
export function statelessResetToken(key: Uint8Array, connectionId: Uint8Array): Buffer {
  return createHmac("sha256", key).update(connectionId).digest().subarray(0, tokenBytes);
}

/** As the engine wants it. */
export function tokenAsInteger(token: Buffer): bigint {
  return BigInt(`0x${token.toString("hex")}`);
}

/**
 * The answer to a packet of a connection that is not known here. Shorter than the packet, so that two servers that
 * answer each other come to an end: that must have more than {@link leastResetBytes}.
 */
export function createStatelessReset(token: Buffer, packetBytes: number): Buffer {
  const bytes = Math.min(packetBytes - 1, usualBytes);
  const reset = randomBytes(bytes);
  reset[0] = 0x40 | ((reset[0] as number) & 0x3f);
  reset.set(token, bytes - tokenBytes);
  return reset;
}
