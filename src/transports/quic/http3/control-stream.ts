// SPDX-License-Identifier: Apache-2.0
import { readVarint, varintLengthFrom } from "../../../streams/varint.ts";
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";
import { frameTypes, isHttp2Frame, unexpected } from "./frames.ts";
import { decodeSettings, maxSettingsBytes } from "./settings.ts";
import type { Settings } from "./settings.ts";
import type { TlvHandling } from "./tlv-parser.ts";

/** The rules for a client's control stream (RFC 9114, sections 6.2.1 and 7.2), without its bytes. */
export class ControlStreamRules {
  /** What the client has announced. */
  settings: Settings | undefined;
  #begun = false;
  #maxPushId = -1;
  #goaway = Infinity;

  /** What is done with a frame. @throws Http3Error */
  handlingOf(type: number, length: number): TlvHandling {
    if (!this.#begun) {
      if (type !== frameTypes.settings) {
        throw new Http3Error(http3ErrorCodes.H3_MISSING_SETTINGS, "a control stream that does not begin with SETTINGS");
      }
      this.#begun = true;
      if (length > maxSettingsBytes) throw new Http3Error(http3ErrorCodes.H3_EXCESSIVE_LOAD, "too many SETTINGS");
      return "whole";
    }
    if (type === frameTypes.goaway || type === frameTypes.maxPushId || type === frameTypes.cancelPush) {
      if (length === 0 || length > 8) throw new Http3Error(http3ErrorCodes.H3_FRAME_ERROR, "a frame of a wrong length");
      return "whole";
    }
    if (refused.has(type) || isHttp2Frame(type)) throw unexpected(type);
    return "skip";
  }

  /** Takes a frame whose handling was `"whole"`. @throws Http3Error */
  frame(type: number, payload: Uint8Array): void {
    if (type === frameTypes.settings) {
      this.settings = decodeSettings(payload);
      return;
    }
    if (varintLengthFrom(payload[0]!) !== payload.length) {
      throw new Http3Error(http3ErrorCodes.H3_FRAME_ERROR, "a frame whose length is not that of its content");
    }
    const id = readVarint(payload, 0);
    // Nothing was ever pushed, so there is nothing to cancel (7.2.3); limits only grow (7.2.7), goodbyes only shrink.
    const isValid =
      type === frameTypes.maxPushId ? id >= this.#maxPushId : type === frameTypes.goaway && id <= this.#goaway;
    if (!isValid) throw new Http3Error(http3ErrorCodes.H3_ID_ERROR, "a push id that is not valid");
    if (type === frameTypes.maxPushId) this.#maxPushId = id;
    else this.#goaway = id;
  }
}

const refused: ReadonlySet<number> = new Set([
  frameTypes.data,
  frameTypes.headers,
  frameTypes.settings,
  frameTypes.pushPromise,
]);
