// SPDX-License-Identifier: Apache-2.0
import { encodeVarints, varintLength } from "../../../streams/varint.ts";
import { Cursor } from "./cursor.ts";
import { QmuxError } from "./qmux-error.ts";
import { encodeWideVarint, wide } from "./wide-varint.ts";

/** What an end allows the other one (RFC 9000, section 18.2, as far as QMux has it). */
export interface TransportParameters {
  /** 0: none. */
  maxIdleTimeoutMs: number;
  maxData: number;
  maxStreamDataBidiLocal: number;
  maxStreamDataBidiRemote: number;
  maxStreamDataUni: number;
  maxStreamsBidi: number;
  maxStreamsUni: number;
  maxRecordBytes: number;
}

/** What holds unless it is said. The record: QMux, section "max_record_size". */
export const defaultTransportParameters: TransportParameters = {
  maxIdleTimeoutMs: 0,
  maxData: 0,
  maxStreamDataBidiLocal: 0,
  maxStreamDataBidiRemote: 0,
  maxStreamDataUni: 0,
  maxStreamsBidi: 0,
  maxStreamsUni: 0,
  maxRecordBytes: 16_382,
};

const ids: readonly (readonly [number | bigint, keyof TransportParameters])[] = [
  [0x01, "maxIdleTimeoutMs"],
  [0x04, "maxData"],
  [0x05, "maxStreamDataBidiLocal"],
  [0x06, "maxStreamDataBidiRemote"],
  [0x07, "maxStreamDataUni"],
  [0x08, "maxStreamsBidi"],
  [0x09, "maxStreamsUni"],
  [wide.maxRecordSize, "maxRecordBytes"],
];
const nameOf = new Map(ids);

/** Parameters of QUIC that are of no meaning without its packets, so forbidden. */
const forbidden: ReadonlySet<number | bigint> = new Set([0x00, 0x02, 0x03, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10]);

export function encodeTransportParameters(parameters: TransportParameters): Uint8Array {
  return Uint8Array.from(
    ids.flatMap(([id, name]) => {
      const value = parameters[name];
      const head = typeof id === "bigint" ? encodeWideVarint(id) : encodeVarints(id);
      return [...head, ...encodeVarints(varintLength(value), value)];
    }),
  );
}

/**
 * Values above 2^53 − 1 come as `Infinity`. Unknown parameters are passed over.
 *
 * @throws QmuxError
 */
export function decodeTransportParameters(bytes: Uint8Array): TransportParameters {
  const parameters = { ...defaultTransportParameters };
  const seen = new Set<keyof TransportParameters>();
  const cursor = new Cursor(bytes);
  while (!cursor.isAtEnd) {
    const id = cursor.name();
    const value = new Cursor(cursor.take(cursor.varint()));
    if (forbidden.has(id)) throw wrong(`transport parameter ${id}, which QMux does not have`);
    const name = nameOf.get(id);
    if (name === undefined) continue;
    if (seen.has(name)) throw wrong(`transport parameter ${id} twice`);
    seen.add(name);
    parameters[name] = value.varint();
    if (!value.isAtEnd) throw wrong(`transport parameter ${id} with a value that is no varint`);
  }
  if (parameters.maxRecordBytes < defaultTransportParameters.maxRecordBytes)
    throw wrong("a max_record_size below 16382");
  return parameters;
}

function wrong(what: string): QmuxError {
  return new QmuxError("TRANSPORT_PARAMETER_ERROR", what);
}
