// SPDX-License-Identifier: Apache-2.0
import { encodeVarints } from "../../../streams/varint.ts";
import { Cursor } from "./cursor.ts";
import { QmuxError } from "./qmux-error.ts";
import { decodeTransportParameters, encodeTransportParameters } from "./transport-parameters.ts";
import type { TransportParameters } from "./transport-parameters.ts";
import { encodeWideVarint, wide } from "./wide-varint.ts";

/** Bytes of a stream, and whether they are its last. */
export interface StreamFrame {
  type: "stream";
  id: number;
  /** Where in the stream `data` begins. */
  offset: number;
  data: Uint8Array;
  fin: boolean;
}

/** All frames but those that carry bytes of streams. */
export type ControlFrame =
  | { type: "transport-parameters"; parameters: TransportParameters }
  | { type: "reset-stream"; id: number; code: number; finalSize: number }
  | { type: "stop-sending"; id: number; code: number }
  | { type: "max-data"; limit: number }
  | { type: "max-stream-data"; id: number; limit: number }
  | { type: "max-streams"; unidirectional: boolean; limit: number }
  | { type: "ping"; sequence: number }
  | { type: "pong"; sequence: number }
  | { type: "close"; application: boolean; code: number; reason: string };

/** A frame of QMux (draft-ietf-quic-qmux-02), which are those of QUIC (RFC 9000, section 19) and a few more. */
export type Frame = StreamFrame | ControlFrame;

const types = {
  padding: 0x00,
  resetStream: 0x04,
  stopSending: 0x05,
  stream: 0x08,
  maxData: 0x10,
  maxStreamData: 0x11,
  maxStreamsBidi: 0x12,
  maxStreamsUni: 0x13,
  dataBlocked: 0x14,
  streamDataBlocked: 0x15,
  streamsBlockedBidi: 0x16,
  streamsBlockedUni: 0x17,
  closeByTransport: 0x1c,
  closeByApplication: 0x1d,
} as const;

/** Bits of the type of a STREAM frame: whether there is an offset, a length, an end. */
export const streamBits = { type: types.stream, offset: 0x04, length: 0x02, fin: 0x01 } as const;

/**
 * The frames of a record, without those that say nothing new (PADDING, and that somebody waits for credit). `data` is a
 * view of the record. Numbers above 2^53 − 1 come as `Infinity`.
 *
 * @throws QmuxError
 */
export function* readFrames(record: Uint8Array): Generator<Frame> {
  if (record.length === 0) throw new QmuxError("PROTOCOL_VIOLATION", "a record without frames");
  const cursor = new Cursor(record);
  while (!cursor.isAtEnd) {
    const frame = readFrame(cursor);
    if (frame !== undefined) yield frame;
  }
}

function readFrame(cursor: Cursor): Frame | undefined {
  const type = cursor.name();
  switch (type) {
    case types.padding:
      return undefined;
    case types.resetStream:
      return { type: "reset-stream", id: cursor.varint(), code: cursor.varint(), finalSize: cursor.varint() };
    case types.stopSending:
      return { type: "stop-sending", id: cursor.varint(), code: cursor.varint() };
    case types.maxData:
      return { type: "max-data", limit: cursor.varint() };
    case types.maxStreamData:
      return { type: "max-stream-data", id: cursor.varint(), limit: cursor.varint() };
    case types.maxStreamsBidi:
    case types.maxStreamsUni:
      return { type: "max-streams", unidirectional: type === types.maxStreamsUni, limit: cursor.varint() };
    case types.streamDataBlocked:
      cursor.varint();
      cursor.varint();
      return undefined;
    case types.dataBlocked:
    case types.streamsBlockedBidi:
    case types.streamsBlockedUni:
      cursor.varint();
      return undefined;
    case types.closeByTransport:
    case types.closeByApplication:
      return readClose(cursor, type === types.closeByApplication);
    case wide.transportParameters:
      return { type: "transport-parameters", parameters: decodeTransportParameters(cursor.take(cursor.varint())) };
    case wide.ping:
      return { type: "ping", sequence: cursor.varint() };
    case wide.pong:
      return { type: "pong", sequence: cursor.varint() };
    default:
      if (typeof type === "number" && (type & ~0x07) === streamBits.type) return readStream(cursor, type);
      throw new QmuxError("FRAME_ENCODING_ERROR", `a frame of type 0x${type.toString(16)}`);
  }
}

function readStream(cursor: Cursor, type: number): StreamFrame {
  const id = cursor.varint();
  const offset = (type & streamBits.offset) === 0 ? 0 : cursor.varint();
  const data = (type & streamBits.length) === 0 ? cursor.rest() : cursor.take(cursor.varint());
  return { type: "stream", id, offset, data, fin: (type & streamBits.fin) !== 0 };
}

function readClose(cursor: Cursor, application: boolean): ControlFrame {
  const code = cursor.varint();
  if (!application) cursor.varint(); // the type of the frame that was wrong
  const reason = new TextDecoder().decode(cursor.take(cursor.varint()));
  return { type: "close", application, code, reason };
}

/** The bytes of a frame. A reason is as long as it is: the caller sees to it that the frame fits into a record. */
export function encodeFrame(frame: ControlFrame): Uint8Array {
  switch (frame.type) {
    case "reset-stream":
      return encodeVarints(types.resetStream, frame.id, frame.code, frame.finalSize);
    case "stop-sending":
      return encodeVarints(types.stopSending, frame.id, frame.code);
    case "max-data":
      return encodeVarints(types.maxData, frame.limit);
    case "max-stream-data":
      return encodeVarints(types.maxStreamData, frame.id, frame.limit);
    case "max-streams":
      return encodeVarints(frame.unidirectional ? types.maxStreamsUni : types.maxStreamsBidi, frame.limit);
    case "ping":
    case "pong":
      return joined(encodeWideVarint(wide[frame.type]), encodeVarints(frame.sequence));
    case "transport-parameters": {
      const parameters = encodeTransportParameters(frame.parameters);
      return joined(encodeWideVarint(wide.transportParameters), encodeVarints(parameters.length), parameters);
    }
    case "close": {
      const reason = new TextEncoder().encode(frame.reason);
      const head = frame.application
        ? encodeVarints(types.closeByApplication, frame.code, reason.length)
        : encodeVarints(types.closeByTransport, frame.code, types.padding, reason.length);
      return joined(head, reason);
    }
  }
}

/** Small parts one behind the other. */
function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
