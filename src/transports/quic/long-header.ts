// SPDX-License-Identifier: Apache-2.0
/** What every version of QUIC has in a long header (RFC 8999, section 5.1). */
export interface LongHeader {
  version: number;
  destinationId: Buffer;
  sourceId: Buffer;
  /** As QUIC version 1 has it. */
  isInitial: boolean;
}

const maxIdBytes = 20;

/** Whether a datagram begins with such a header. Packets of a handshake do. */
export function hasLongHeader(datagram: Uint8Array): boolean {
  return ((datagram[0] as number) & 0x80) !== 0;
}

/** Undefined when the packet is cut or its ids are longer than version 1 allows. */
export function parseLongHeader(packet: Buffer): LongHeader | undefined {
  const destinationBytes = packet[5];
  if (destinationBytes === undefined || destinationBytes > maxIdBytes) return undefined;
  const sourceStart = 7 + destinationBytes;
  const sourceBytes = packet[sourceStart - 1];
  if (sourceBytes === undefined || sourceBytes > maxIdBytes || packet.length < sourceStart + sourceBytes) {
    return undefined;
  }
  return {
    version: packet.readUInt32BE(1),
    destinationId: packet.subarray(6, 6 + destinationBytes),
    sourceId: packet.subarray(sourceStart, sourceStart + sourceBytes),
    isInitial: ((packet[0] as number) & 0x30) === 0,
  };
}
