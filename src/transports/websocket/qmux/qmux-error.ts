// SPDX-License-Identifier: Apache-2.0
/** Error codes of QUIC that QMux uses (RFC 9000, section 20.1). */
export const qmuxErrorCodes = {
  NO_ERROR: 0x00,
  INTERNAL_ERROR: 0x01,
  FLOW_CONTROL_ERROR: 0x03,
  STREAM_LIMIT_ERROR: 0x04,
  STREAM_STATE_ERROR: 0x05,
  FINAL_SIZE_ERROR: 0x06,
  FRAME_ENCODING_ERROR: 0x07,
  TRANSPORT_PARAMETER_ERROR: 0x08,
  PROTOCOL_VIOLATION: 0x0a,
} as const;

/** The other end broke a rule of QMux. Ends the connection with this code. */
export class QmuxError extends Error {
  override readonly name = "QmuxError";
  readonly wireCode: number;

  constructor(code: keyof typeof qmuxErrorCodes, message: string) {
    super(message);
    this.wireCode = qmuxErrorCodes[code];
  }
}
