// SPDX-License-Identifier: Apache-2.0
import { streamErrorCodeOf } from "../../../core/errors.ts";
import { Http3Error } from "../http3/error-codes.ts";
import type { StreamErrorCodes } from "../stream-error-codes.ts";

/** Error codes of WebTransport itself (draft-ietf-webtrans-http3, "Error Codes"). */
export const webTransportErrorCodes = {
  /** A stream came before its session and could not be kept. */
  WT_BUFFERED_STREAM_REJECTED: 0x3994bd84,
  /** The stream's session is over, or was refused. */
  WT_SESSION_GONE: 0x170d7b68,
} as const;

/**
 * An application's stream error code in the space of HTTP/3 codes: from 0x52e4a40fa8db on, leaving out the codes of the
 * form 0x1f × n + 0x21, which are reserved for grease (draft-ietf-webtrans-http3, section 4.4; RFC 9114, 8.1).
 */
export function toHttp3Code(code: number): number {
  return firstCode + code + Math.floor(code / 0x1e);
}

/** The reverse of {@link toHttp3Code}; undefined for a code that is not of an application. */
export function fromHttp3Code(wireCode: number): number | undefined {
  if (wireCode < firstCode || wireCode > lastCode || (wireCode - 0x21) % 0x1f === 0) return undefined;
  const shifted = wireCode - firstCode;
  return shifted - Math.floor(shifted / 0x1f);
}

/** For the streams of a connection that carries WebTransport: an {@link Http3Error} keeps its own code. */
export const webTransportStreamErrorCodes: StreamErrorCodes = {
  encode: (reason) => (reason instanceof Http3Error ? reason.wireCode : toHttp3Code(streamErrorCodeOf(reason) ?? 0)),
  decode: (wireCode) => fromHttp3Code(wireCode) ?? 0,
};

const firstCode = 0x52e4_a40f_a8db;
const lastCode = 0x52e5_ac98_3162;
