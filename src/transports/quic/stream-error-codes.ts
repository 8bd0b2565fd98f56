// SPDX-License-Identifier: Apache-2.0
import { streamErrorCodeOf } from "../../core/errors.ts";

/** How the error codes of streams travel in RESET_STREAM and STOP_SENDING. */
export interface StreamErrorCodes {
  /** The code for a reason that a stream was aborted or cancelled with; an integer from 0 to 2^53 − 1. */
  encode(reason: unknown): number;
  /** What the other end meant, an integer from 0 to 2^32 − 1; 0 for what it cannot have meant. */
  decode(wireCode: number): number;
}

/** As they are: what conec speaks over plain QUIC. */
export const plainErrorCodes: StreamErrorCodes = {
  encode: (reason) => streamErrorCodeOf(reason) ?? 0,
  decode: (wireCode) => (wireCode <= 0xffff_ffff ? wireCode : 0),
};
