// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "./concat-bytes.ts";
import { readVarint, varintLengthFrom } from "../../../streams/varint.ts";

/** What becomes of the payload of one record: kept until it is complete, passed on as it comes, or thrown away. */
export type TlvHandling = "whole" | "parts" | "skip";

export type TlvEvent =
  | { readonly kind: "whole"; readonly type: number; readonly payload: Uint8Array }
  /** Never empty. */
  | { readonly kind: "part"; readonly type: number; readonly payload: Uint8Array };

/**
 * Takes a stream of records apart that are a type, a length (both varints) and a payload: the frames of HTTP/3
 * (RFC 9114, section 7.1) and capsules (RFC 9297, section 3.2). Keeps at most what `handlingOf` lets it: that is asked
 * when the header of a record is complete, and throws to refuse it. A type or length from 2^53 on is `Infinity`.
 */
export class TlvParser {
  readonly #handlingOf: (type: number, length: number) => TlvHandling;
  /** The beginning of a header. */
  #header: Uint8Array = new Uint8Array(0);
  #type = 0;
  #handling: TlvHandling | undefined;
  #left = 0;
  #kept: Uint8Array[] = [];

  constructor(handlingOf: (type: number, length: number) => TlvHandling) {
    this.#handlingOf = handlingOf;
  }

  /** Whether the bytes so far end with a complete record. */
  get isComplete(): boolean {
    return this.#handling === undefined && this.#header.length === 0;
  }

  /** The events of the next bytes. To be run to its end before the next call. */
  *push(bytes: Uint8Array): Generator<TlvEvent, void, void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#handling === undefined) {
        const taken = this.#takeHeader(rest);
        rest = rest.subarray(taken);
        if (this.#handling === undefined || this.#left > 0) continue;
      }
      const payload = rest.subarray(0, this.#left);
      rest = rest.subarray(payload.length);
      this.#left -= payload.length;
      const event = this.#takePayload(payload);
      if (event !== undefined) yield event;
    }
  }

  /** Returns how many of the bytes belong to the header. */
  #takeHeader(bytes: Uint8Array): number {
    const held = this.#header.length;
    const header = held === 0 ? bytes : concatBytes([this.#header, bytes.subarray(0, maxHeaderBytes)]);
    const typeLength = varintLengthFrom(header[0]!);
    const length = header.length > typeLength ? typeLength + varintLengthFrom(header[typeLength]!) : Infinity;
    if (header.length < length) {
      this.#header = header.slice();
      return bytes.length;
    }
    this.#header = new Uint8Array(0);
    this.#type = readVarint(header, 0);
    this.#left = readVarint(header, typeLength);
    this.#handling = this.#handlingOf(this.#type, this.#left);
    return length - held;
  }

  #takePayload(payload: Uint8Array): TlvEvent | undefined {
    const type = this.#type;
    const handling = this.#handling;
    const isLast = this.#left === 0;
    if (isLast) this.#handling = undefined;
    if (handling === "parts") return payload.length > 0 ? { kind: "part", type, payload } : undefined;
    if (handling === "skip") return undefined;
    if (payload.length > 0) this.#kept.push(isLast ? payload : payload.slice());
    if (!isLast) return undefined;
    const whole = this.#kept.length === 1 ? this.#kept[0]! : concatBytes(this.#kept);
    this.#kept = [];
    return { kind: "whole", type, payload: whole };
  }
}

const maxHeaderBytes = 16;
