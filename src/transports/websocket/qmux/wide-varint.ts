// SPDX-License-Identifier: Apache-2.0
/** The numbers that QMux itself has added to QUIC: 8 bytes as a varint, more than a JavaScript number holds. */
export const wide = {
  /** Frame QX_TRANSPORT_PARAMETERS. */
  transportParameters: 0x3f51_5330_0d0a_0d0an,
  /** Frames QX_PING: a request, and the answer to one. */
  ping: 0x348c_6752_9ef8_c7bdn,
  pong: 0x348c_6752_9ef8_c7ben,
  /** Transport parameter `max_record_size`. */
  maxRecordSize: 0x0571_c594_29cd_0845n,
} as const;

/** The varint at `offset`, which is one of 8 bytes, all of them there. */
export function readWideVarint(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, 8).getBigUint64(0) & 0x3fff_ffff_ffff_ffffn;
}

export function encodeWideVarint(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value | 0xc000_0000_0000_0000n);
  return bytes;
}
