// SPDX-License-Identifier: Apache-2.0
import { createHmac, timingSafeEqual } from "node:crypto";

/** What a Retry token vouches for. */
export interface RetryClaim {
  /** Address and port of the client. */
  address: string;
  /** The destination id of the client's first Initial packet. */
  originalId: Uint8Array;
  /** The id that the Retry packet told the client to use from then on. */
  newId: Uint8Array;
}

/** Long enough for a client far away, too short to hoard tokens. */
const retryTokenLifetimeMs = 10_000;

const timeBytes = 6;
const macBytes = 16;

/** `time | mac | original id`; the server keeps nothing. */
export function createRetryToken(key: Uint8Array, claim: RetryClaim, nowMs: number): Buffer {
  const time = Buffer.alloc(timeBytes);
  time.writeUIntBE(Math.floor(nowMs), 0, timeBytes);
  return Buffer.concat([time, macOf(key, time, claim), claim.originalId]);
}

/** The original id, when the token is ours, fresh, and was made for this address and this id. */
export function openRetryToken(
  key: Uint8Array,
  token: Uint8Array,
  { address, newId }: { address: string; newId: Uint8Array },
  nowMs: number,
): Buffer | undefined {
  const bytes = Buffer.from(token);
  const originalId = bytes.subarray(timeBytes + macBytes);
  if (originalId.length < 8 || originalId.length > 20) return undefined;
  const time = bytes.subarray(0, timeBytes);
  const expected = macOf(key, time, { address, originalId, newId });
  if (!timingSafeEqual(expected, bytes.subarray(timeBytes, timeBytes + macBytes))) return undefined;
  const ageMs = nowMs - time.readUIntBE(0, timeBytes);
  return ageMs >= -1 && ageMs <= retryTokenLifetimeMs ? originalId : undefined;
}

function macOf(key: Uint8Array, time: Uint8Array, { address, originalId, newId }: RetryClaim): Buffer {
  return createHmac("sha256", key)
    .update(time)
    .update(Uint8Array.of(originalId.length))
    .update(originalId)
    .update(Uint8Array.of(newId.length))
    .update(newId)
    .update(address)
    .digest()
    .subarray(0, macBytes);
}
