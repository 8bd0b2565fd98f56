// SPDX-License-Identifier: Apache-2.0
import { encodeVarints, readVarint, varintLengthFrom } from "../../../streams/varint.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import { encodeFrame, frameTypes } from "./frames.ts";

/** By identifier (RFC 9114, section 7.2.4). */
export type Settings = ReadonlyMap<number, number>;

/** A client's SETTINGS have some ten entries; grease may come on top. */
export const maxSettingsBytes = 4096;

/** A SETTINGS frame. */
export function encodeSettings(settings: Settings): Uint8Array {
  return encodeFrame(frameTypes.settings, encodeVarints(...[...settings].flat()));
}

/**
 * The payload of a SETTINGS frame. Identifiers and values from 2^53 on read as `Infinity`; of such identifiers only
 * one is kept.
 *
 * @throws Http3Error
 */
export function decodeSettings(payload: Uint8Array): Settings {
  const settings = new Map<number, number>();
  let offset = 0;
  const next = (): number => {
    const end = offset < payload.length ? offset + varintLengthFrom(payload[offset]!) : Infinity;
    if (end > payload.length) throw new Http3Error(http3ErrorCodes.H3_FRAME_ERROR, "SETTINGS that end midway");
    const value = readVarint(payload, offset);
    offset = end;
    return value;
  };
  while (offset < payload.length) {
    const id = next();
    const value = next();
    if (settings.has(id) && id !== Infinity) throw invalid(id);
    // Settings of HTTP/2, which must not appear (RFC 9114, section 7.2.4.1); flags (RFC 9220, 3; RFC 9297, 2.1.1).
    if ((id >= 0x02 && id <= 0x05) || (flags.has(id) && value > 1)) throw invalid(id);
    settings.set(id, value);
  }
  return settings;
}

const enableConnectProtocol = 0x08;
const h3Datagram = 0x33;
const flags: ReadonlySet<number> = new Set([enableConnectProtocol, h3Datagram]);

function invalid(id: number): Http3Error {
  return new Http3Error(http3ErrorCodes.H3_SETTINGS_ERROR, `the setting 0x${id.toString(16)}, which is not valid`);
}
