// SPDX-License-Identifier: Apache-2.0
/** Error codes of HTTP/3 (RFC 9114, section 8.1), of QPACK (RFC 9204, section 6) and of datagrams (RFC 9297, 5.2). */
export const http3ErrorCodes = {
  H3_DATAGRAM_ERROR: 0x33,
  H3_NO_ERROR: 0x100,
  H3_GENERAL_PROTOCOL_ERROR: 0x101,
  H3_INTERNAL_ERROR: 0x102,
  H3_STREAM_CREATION_ERROR: 0x103,
  H3_CLOSED_CRITICAL_STREAM: 0x104,
  H3_FRAME_UNEXPECTED: 0x105,
  H3_FRAME_ERROR: 0x106,
  H3_EXCESSIVE_LOAD: 0x107,
  H3_ID_ERROR: 0x108,
  H3_SETTINGS_ERROR: 0x109,
  H3_MISSING_SETTINGS: 0x10a,
  H3_REQUEST_REJECTED: 0x10b,
  H3_REQUEST_INCOMPLETE: 0x10d,
  H3_MESSAGE_ERROR: 0x10e,
  QPACK_DECOMPRESSION_FAILED: 0x200,
  QPACK_ENCODER_STREAM_ERROR: 0x201,
  QPACK_DECODER_STREAM_ERROR: 0x202,
} as const;

/** The other end broke the rules of HTTP/3. Ends the connection, or only the stream, with a code for the wire. */
export class Http3Error extends Error {
  override readonly name = "Http3Error";
  /** As it goes into CONNECTION_CLOSE, RESET_STREAM or STOP_SENDING. */
  readonly wireCode: number;
  readonly scope: "connection" | "stream";

  constructor(wireCode: number, message: string, scope: "connection" | "stream" = "connection") {
    super(message);
    this.wireCode = wireCode;
    this.scope = scope;
  }
}
