// SPDX-License-Identifier: Apache-2.0
import { encodeVarints } from "../../../streams/varint.ts";
import { concatBytes } from "./concat-bytes.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import type { TlvHandling } from "./tlv-parser.ts";

/** RFC 9114, section 7.2. */
export const frameTypes = {
  data: 0x00,
  headers: 0x01,
  cancelPush: 0x03,
  settings: 0x04,
  pushPromise: 0x05,
  goaway: 0x07,
  maxPushId: 0x0d,
} as const;

/** Largest field section taken, encoded or decoded (RFC 9114, section 4.2.2). */
export const maxFieldSectionBytes = 16 * 1024;

/** One frame, or one capsule: type, length, payload. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  return concatBytes([encodeVarints(type, payload.length), payload]);
}

/**
 * What is done with a frame on a request stream: headers first and once, then, on the stream of a CONNECT, nothing but
 * DATA and unknown frames (RFC 9114, sections 4.1 and 4.4).
 *
 * @throws Http3Error
 */
export function requestFrameHandling(type: number, length: number, hasHeaders: boolean): TlvHandling {
  if (type === frameTypes.headers && !hasHeaders) {
    if (length > maxFieldSectionBytes) {
      throw new Http3Error(http3ErrorCodes.H3_EXCESSIVE_LOAD, "a field section that is too large", "stream");
    }
    return "whole";
  }
  if (type === frameTypes.data && hasHeaders) return "parts";
  if (isKnown(type) || isHttp2Frame(type)) throw unexpected(type);
  return "skip";
}

/** Frame types of HTTP/2 without a meaning in HTTP/3 (RFC 9114, section 7.2.8). */
export function isHttp2Frame(type: number): boolean {
  return type === 0x02 || type === 0x06 || type === 0x08 || type === 0x09;
}

export function unexpected(type: number): Http3Error {
  return new Http3Error(http3ErrorCodes.H3_FRAME_UNEXPECTED, `a frame of type 0x${type.toString(16)} out of place`);
}

function isKnown(type: number): boolean {
  return knownTypes.has(type) || type === streamSignal;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(frameTypes));

/** WT_STREAM, which is only valid as the very first bytes of a stream (draft-ietf-webtrans-http3, 4.3). */
const streamSignal = 0x41;
