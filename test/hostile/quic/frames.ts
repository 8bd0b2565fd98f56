/** QUIC frames as bytes, right or wrong (RFC 9000, section 19). Numbers are `bigint` where they may exceed 2^53. */

type Integer = number | bigint;

/** The largest integer that QUIC can write. */
export const largest = 2n ** 62n - 1n;

export const frames = {
  ping: () => Buffer.of(0x01),
  /** Acknowledges everything from `largestAcknowledged` down to `first` packets below. */
  ack: (largestAcknowledged: Integer, first: Integer) =>
    frame(0x02, varint(largestAcknowledged), varint(0), varint(0), varint(first)),
  resetStream: (id: Integer, code: Integer, finalSize: Integer) =>
    frame(0x04, varint(id), varint(code), varint(finalSize)),
  stopSending: (id: Integer, code: Integer) => frame(0x05, varint(id), varint(code)),
  crypto: (offset: Integer, data: Uint8Array) => frame(0x06, varint(offset), varint(data.length), data),
  newToken: (token: Uint8Array) => frame(0x07, varint(token.length), token),
  stream: (id: Integer, offset: Integer, data: Uint8Array, fin = false) =>
    frame(fin ? 0x0f : 0x0e, varint(id), varint(offset), varint(data.length), data),
  maxData: (bytes: Integer) => frame(0x10, varint(bytes)),
  maxStreamData: (id: Integer, bytes: Integer) => frame(0x11, varint(id), varint(bytes)),
  maxStreams: (count: Integer) => frame(0x12, varint(count)),
  streamsBlocked: (limit: Integer) => frame(0x16, varint(limit)),
  newConnectionId: (sequence: Integer, retirePriorTo: Integer, id: Uint8Array, resetToken = Buffer.alloc(16, id)) =>
    frame(0x18, varint(sequence), varint(retirePriorTo), Buffer.of(id.length), id, resetToken),
  retireConnectionId: (sequence: Integer) => frame(0x19, varint(sequence)),
  pathChallenge: (data: Uint8Array) => frame(0x1a, data),
  pathResponse: (data: Uint8Array) => frame(0x1b, data),
  /** Of the transport. */
  close: (code: Integer, frameType: Integer, reason: Uint8Array) =>
    frame(0x1c, varint(code), varint(frameType), varint(reason.length), reason),
  /** Of the application. */
  closeApplication: (code: Integer, reason: Uint8Array) => frame(0x1d, varint(code), varint(reason.length), reason),
  handshakeDone: () => Buffer.of(0x1e),
};

/** RFC 9000, section 16. */
export function varint(value: Integer): Buffer {
  const wide = BigInt(value);
  if (wide < 2n ** 6n) return Buffer.of(Number(wide));
  const [bytes, prefix] = wide < 2n ** 14n ? [2, 1n] : wide < 2n ** 30n ? [4, 2n] : [8, 3n];
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(wide | (prefix << BigInt(8 * bytes - 2)));
  return out.subarray(8 - bytes);
}

function frame(type: number, ...fields: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(type), ...fields]);
}
