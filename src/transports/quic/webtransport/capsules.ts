// SPDX-License-Identifier: Apache-2.0
import { reasonText } from "../../../core/errors.ts";
import type { CloseInfo } from "../../../core/transport.ts";
import { Http3Error, http3ErrorCodes } from "../http3/error-codes.ts";
import { encodeFrame } from "../http3/frames.ts";
import type { TlvHandling } from "../http3/tlv-parser.ts";

/** Capsules on the stream of a session (draft-ietf-webtrans-http3, section 5; RFC 9297, section 3). */
export const capsuleTypes = { closeSession: 0x2843, drainSession: 0x78ae } as const;

/** What is done with a capsule. @throws Http3Error `H3_MESSAGE_ERROR`, for the stream */
export function capsuleHandling(type: number, length: number): TlvHandling {
  if (type === capsuleTypes.closeSession) {
    if (length < codeBytes || length > codeBytes + maxReasonBytes) throw malformed("a close of a wrong length");
    return "whole";
  }
  if (type === capsuleTypes.drainSession && length !== 0) throw malformed("a drain of a wrong length");
  // The other end winds up: what follows from that is its business. Unknown capsules are ignored (RFC 9297, 3.2).
  return "skip";
}

export function encodeClose({ closeCode, reason }: CloseInfo): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const payload = new Uint8Array(codeBytes + text.length);
  new DataView(payload.buffer).setUint32(0, closeCode);
  payload.set(text, codeBytes);
  return encodeFrame(capsuleTypes.closeSession, payload);
}

/** The payload of a close, whose length was checked. Bytes that are no UTF-8 become replacement characters. */
export function decodeClose(payload: Uint8Array): CloseInfo {
  const closeCode = new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(0);
  return { closeCode, reason: reasonText(new TextDecoder().decode(payload.subarray(codeBytes))) };
}

function malformed(what: string): Http3Error {
  return new Http3Error(http3ErrorCodes.H3_MESSAGE_ERROR, what, "stream");
}

const codeBytes = 4;
const maxReasonBytes = 1024;
