// SPDX-License-Identifier: Apache-2.0
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";

/**
 * What a client may say on its encoder stream when this end allows no dynamic table: that its capacity is 0
 * (RFC 9204, section 4.3.1; the one-byte form of 0, and longer ones are of no use to anyone).
 */
export class QpackEncoderInstructions {
  push(bytes: Uint8Array): void {
    if (bytes.every((byte) => byte === 0x20)) return;
    throw new Http3Error(http3ErrorCodes.QPACK_ENCODER_STREAM_ERROR, "an entry for a dynamic table of no size");
  }
}

/**
 * What a client may say on its decoder stream when this end uses no dynamic table: that it gave a stream up
 * (RFC 9204, section 4.4.2). Anything else acknowledges what was never sent.
 */
export class QpackDecoderInstructions {
  /** Inside the stream id of a cancellation. */
  #continued = false;

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (!this.#continued && (byte & 0xc0) !== 0x40) {
        throw new Http3Error(http3ErrorCodes.QPACK_DECODER_STREAM_ERROR, "an acknowledgement of nothing");
      }
      this.#continued = this.#continued ? (byte & 0x80) !== 0 : byte === 0x7f;
    }
  }
}
