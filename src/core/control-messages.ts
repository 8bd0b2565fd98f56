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
  /** Versions that the Client speaks, best first. */
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
  /** How many data streams each end may have opened before the other raises it with `maxStreams`. */
  maxStreams: number,
});

const channel = v.object({
  type: v.literal("channel"),
  /** The id of the channel on this connection, which heads its data streams. */
  channel: number,
  /** Which end this is: stream ids of end 0 are even, of end 1 odd. */
  end: v.picklist([0, 1]),
  peer,
  metadata,
  /** For each end, in order: the number of data streams it has opened so far, and how many it may have opened. */
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
  /** Present when the channel did not end by somebody's wish. */
  code: v.optional(errorCode("closed")),
});

const sendChannel = v.object({
  type: v.literal("sendChannel"),
  /** The id, on this connection, of the channel whose far end shall have the one that this message came on. */
  via: number,
  metadata,
});
const peerChange = v.object({ type: v.literal("peer"), peer });

const goaway = v.object({ type: v.literal("goaway"), reason });
const ping = v.object({ type: v.literal("ping"), id: number });
const pong = v.object({ type: v.literal("pong"), id: number });

const controlMessage = v.variant("type", [
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

export type ControlMessage = v.InferOutput<typeof controlMessage>;
export type ControlMessageOf<T extends ControlMessage["type"]> = Extract<ControlMessage, { type: T }>;

/** A party as the other one sees it. */
export interface Peer {
  /** The id under which the Coordinator knows it. */
  readonly id: string;
  /** What the Coordinator's `authenticate` said of it. */
  readonly metadata: Metadata;
}

/** The bytes of a control message. */
export function encodeControlMessage(message: ControlMessage): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
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
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw protocolError("A control message is not JSON in UTF-8", cause);
  }
}

function protocolError(message: string, cause?: unknown): ConecError {
  return new ConecError("protocol-error", message, { source: "channel", remote: true, cause });
}
