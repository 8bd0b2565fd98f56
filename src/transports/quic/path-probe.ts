// SPDX-License-Identifier: Apache-2.0
/**
 * conec's own path probes: datagrams outside QUIC that measure how large a datagram may be.
 *
 * ```
 * 1 byte    0: neither the long-header bit nor the fixed bit of QUIC, so other implementations drop it (RFC 9000, 17.3)
 * 0 or 16   connection id of the receiver, as in a short-header packet
 * 1 byte    kind: 1 probe, 2 echo
 * 2 bytes   size of the probe's UDP payload, big-endian
 * 8 bytes   nonce
 * zeros     up to the size, in a probe only: an echo is never larger than what it answers
 * ```
 */
export interface PathProbePacket {
  kind: "probe" | "echo";
  bytes: number;
  /** 8 bytes, in latin1. */
  nonce: string;
}

export const pathProbeFirstByte = 0;

const kinds = { probe: 1, echo: 2 } as const;
const nonceBytes = 8;
const fixedBytes = 1 + 1 + 2 + nonceBytes;

export function encodePathProbe({ kind, bytes, nonce }: PathProbePacket, connectionId: Uint8Array): Buffer {
  const packet = Buffer.alloc(kind === "probe" ? bytes : fixedBytes + connectionId.length);
  packet[0] = pathProbeFirstByte;
  packet.set(connectionId, 1);
  const offset = 1 + connectionId.length;
  packet[offset] = kinds[kind];
  packet.writeUInt16BE(bytes, offset + 1);
  packet.write(nonce, offset + 3, nonceBytes, "latin1");
  return packet;
}

/** Undefined for anything that is not a well-formed probe or echo; so a probe that a router cut is none. */
export function decodePathProbe(packet: Buffer, connectionIdBytes: number): PathProbePacket | undefined {
  const offset = 1 + connectionIdBytes;
  if (packet.length < fixedBytes + connectionIdBytes || packet[0] !== pathProbeFirstByte) return undefined;
  const bytes = packet.readUInt16BE(offset + 1);
  const nonce = packet.toString("latin1", offset + 3, offset + 3 + nonceBytes);
  if (packet[offset] === kinds.probe && packet.length === bytes) return { kind: "probe", bytes, nonce };
  if (packet[offset] === kinds.echo) return { kind: "echo", bytes, nonce };
  return undefined;
}
