/**
 * The control messages: what the two ends of a control stream say to each other, as small JSON objects. Their meaning
 * is in docs/protocol.md, test vectors in test/vectors/control-messages.json.
 */
import * as v from "valibot";
import { ConecError, conecErrorCodes, maxReasonBytes } from "./errors.ts";
import type { ConecErrorCode } from "./errors.ts";
import { metadataFault, nameFault } from "./metadata.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** The protocol version that this code speaks. */
export const protocolVersion = 1;

/** Longest control message, in bytes of JSON. */
export const maxControlMessageBytes = 32_768;

/** A party as the other one sees it. */
export interface Peer {
  /** The id under which the Coordinator knows it. */
  readonly id: string;
  /** What the Coordinator's `authenticate` said of it. */
  readonly metadata: Metadata;
}

/** Whatever one end of a control stream says to the other. Numbers are integers; ids and counts below 2^53. */
export type ControlMessage =
  /** A Client's first message: the versions that it speaks, best first, and who it wants to be. */
  | { type: "hello"; versions: number[]; id?: string | undefined; credentials?: JsonValue | undefined }
  /** `streamLimit`: data streams that each end may have open or unread on any channel of this connection. */
  | { type: "welcome"; version: number; id: string; metadata: Metadata; coordinator: Peer; streamLimit: number }
  /** The Coordinator offers a channel: the first message of its control stream. */
  | ChannelOfferMessage
  | { type: "accept" }
  | { type: "refuse"; code: ConecErrorCode; reason: string }
  | { type: "open"; stream: number; name: string; metadata: Metadata }
  /** The stream was received whole. */
  | { type: "finished"; stream: number }
  /** The writer ended the stream early. */
  | { type: "abort"; stream: number; code: ConecErrorCode; reason: string; streamErrorCode?: number | undefined }
  /** The reader wants no more of the stream. */
  | { type: "stop"; stream: number; code: ConecErrorCode; reason: string; streamErrorCode?: number | undefined }
  /** How many data streams the other end may have opened since the channel began. */
  | { type: "maxStreams"; count: number }
  /** `code` is there when the channel did not end by somebody's wish. */
  | { type: "close"; closeCode: number; reason: string; code?: ConecErrorCode | undefined }
  /** Hand this channel's end to the far end of the channel that has the id `via` on this connection. */
  | { type: "sendChannel"; via: number; metadata: Metadata }
  /** Somebody else holds the far end now. */
  | { type: "peer"; peer: Peer }
  | { type: "goaway"; reason: string }
  | { type: "ping"; id: number }
  | { type: "pong"; id: number };

export interface ChannelOfferMessage {
  type: "channel";
  /** The id of the channel on this connection, which heads its data streams. */
  channel: number;
  /** Which end this is: stream ids of end 0 are even, of end 1 odd. */
  end: 0 | 1;
  peer: Peer;
  metadata: Metadata;
  /** For each end, in order: the number of data streams it has opened so far, and how many it may have opened. */
  opened: [number, number];
  maxStreams: [number, number];
}

export type ControlMessageOf<T extends ControlMessage["type"]> = Extract<ControlMessage, { type: T }>;

/** The bytes of a control message. */
export function encodeControlMessage(message: ControlMessage): Uint8Array {
  return encoder.encode(JSON.stringify(message));
}

/**
 * The control message in these bytes. Unknown fields are left out.
 *
 * @throws ConecError `protocol-error`
 */
export function decodeControlMessage(bytes: Uint8Array): ControlMessage {
  const result = v.safeParse(controlMessage, parseJson(bytes), { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = issue.path?.map((item) => String(item.key)).join(".") ?? "";
  throw protocolError(`Bad control message: ${where === "" ? "" : `${where}: `}${issue.message}`.slice(0, 200));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw protocolError("A control message is not JSON in UTF-8", cause);
  }
}

function protocolError(message: string, cause?: unknown): ConecError {
  return new ConecError("protocol-error", message, { source: "channel", remote: true, cause });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const name = v.custom<string>((value) => nameFault(value) === undefined, "not a name");
const id = v.custom<string>((value) => value !== "" && nameFault(value) === undefined, "not an id");
const metadata = v.custom<Metadata>((value) => metadataFault(value) === undefined, "not metadata");
const uint32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
/** Ids of channels and streams, and counts of streams. */
const number = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const reason = v.pipe(v.string(), v.maxBytes(maxReasonBytes));
/** Codes of later versions are read as the general one for that message. */
const errorCode = (general: ConecErrorCode) => v.fallback(v.picklist(conecErrorCodes), general);
const json = v.custom<JsonValue>(() => true);
const peer = v.object({ id, metadata });

const hello = v.object({
  type: v.literal("hello"),
  versions: v.pipe(v.array(uint32), v.minLength(1), v.maxLength(16)),
  id: v.optional(id),
  credentials: v.optional(json),
});

const welcome = v.object({
  type: v.literal("welcome"),
  version: uint32,
  id,
  metadata,
  coordinator: peer,
  streamLimit: v.pipe(number, v.minValue(1)),
});

const channel = v.object({
  type: v.literal("channel"),
  channel: number,
  end: v.picklist([0, 1]),
  peer,
  metadata,
  opened: v.tuple([number, number]),
  maxStreams: v.tuple([number, number]),
});

const accept = v.object({ type: v.literal("accept") });
const refuse = v.object({ type: v.literal("refuse"), code: errorCode("refused"), reason });

const open = v.object({ type: v.literal("open"), stream: number, name, metadata });
const finished = v.object({ type: v.literal("finished"), stream: number });
const abort = v.object({
  type: v.literal("abort"),
  stream: number,
  code: errorCode("aborted"),
  reason,
  streamErrorCode: v.optional(uint32),
});
const stop = v.object({
  type: v.literal("stop"),
  stream: number,
  code: errorCode("cancelled"),
  reason,
  streamErrorCode: v.optional(uint32),
});
const maxStreams = v.object({ type: v.literal("maxStreams"), count: number });

const close = v.object({
  type: v.literal("close"),
  closeCode: uint32,
  reason,
  code: v.optional(errorCode("closed")),
});

const sendChannel = v.object({
  type: v.literal("sendChannel"),
  via: number,
  metadata,
});
const peerChange = v.object({ type: v.literal("peer"), peer });

const goaway = v.object({ type: v.literal("goaway"), reason });
const ping = v.object({ type: v.literal("ping"), id: number });
const pong = v.object({ type: v.literal("pong"), id: number });

const controlMessage: v.GenericSchema<unknown, ControlMessage> = v.variant("type", [
  hello,
  welcome,
  channel,
  accept,
  refuse,
  open,
  finished,
  abort,
  stop,
  maxStreams,
  close,
  sendChannel,
  peerChange,
  goaway,
  ping,
  pong,
]);
