// SPDX-License-Identifier: Apache-2.0
/**
 * The control messages: what the two ends of a control stream say to each other, as small JSON objects. Their meaning
 * is in docs/protocol.md, test vectors in test/vectors/control-messages.json.
 */
import { fromBase64Url } from "./base64url.ts";
import { ConecError, conecErrorCodes, maxReasonBytes } from "./errors.ts";
import type { ConecErrorCode } from "./errors.ts";
import { countMembers, isFiniteJson, jsonShape } from "./json-shape.ts";
import { isPublicKey } from "./key-pair.ts";
import type { PublicKey } from "./key-pair.ts";
import { metadataFault, nameFault } from "./metadata.ts";
import { object, optional, value, word } from "./shape.ts";
import type { Shape } from "./shape.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** The protocol version that this code speaks. */
export const protocolVersion = 1;

/** Longest control message, in bytes of JSON. */
export const maxControlMessageBytes = 32_768;

/** Most streams that are named in one message; more take several. */
export const maxCounts = 500;

/** Deepest nesting of objects and arrays in a control message. */
export const maxControlMessageDepth = 32;

/** A party as the other one sees it. */
export interface Peer {
  /** The id under which the Coordinator knows it. */
  readonly id: string;
  /** What the Coordinator's `authenticate` said of it. */
  readonly metadata: Metadata;
  /** The key that it has proven to the Coordinator to have; absent for the Coordinator, which is known by its certificate. */
  readonly publicKey?: PublicKey | undefined;
}

/** Whatever one end of a control stream says to the other. Numbers are integers; ids and counts below 2^53. */
export type ControlMessage =
  /** A Client's first message: the versions that it speaks, best first. */
  | { type: "hello"; versions: number[] }
  /** The Coordinator's answer: the version to speak, and 32 random bytes to sign. */
  | { type: "challenge"; version: number; nonce: string }
  | IdentifyMessage
  /** The signature over the challenge and the `identify` message before it (client-proof.ts). */
  | { type: "proof"; signature: string }
  | WelcomeMessage
  /** The Coordinator offers a channel: the first message of its control stream. */
  | ChannelOfferMessage
  | { type: "accept" }
  /** After a connection was lost: the first message of a channel's new control stream, and its answer (resuming). */
  | { type: "rejoin"; channel: number; received: number }
  | { type: "rejoined"; received: number }
  /** So many control messages of this channel were received. */
  | { type: "ack"; count: number }
  | { type: "refuse"; code: ConecErrorCode; reason: string }
  | { type: "open"; stream: number; name: string; metadata: Metadata }
  /** The stream was received whole. */
  | { type: "finished"; stream: number }
  /** For streams that are not finished: how many of their messages were received. */
  | { type: "received"; counts: [stream: number, messages: number][] }
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
  /** The far end is away: what is on its way there and back is lost, and sent again when it has come back. */
  | { type: "suspend" }
  /** It is back. What data streams carry from now on belongs to this epoch. */
  | { type: "resume"; epoch: number }
  /** From where the far end is to go on, in its streams that are not over; those that are not named, from the start. */
  | { type: "resumeAt"; epoch: number; counts: [stream: number, messages: number][]; last: boolean }
  | { type: "goaway"; reason: string }
  | { type: "ping"; id: number }
  | { type: "pong"; id: number };

/** Who the Client is and wants to be, and where it believes to be. Bytes as base64url. */
export interface IdentifyMessage {
  type: "identify";
  publicKey: PublicKey;
  /** Host and port that the Client dialled, as in a URL: the port is left out if it is 443. */
  authority: string;
  /** SHA-256 of the server's certificate that the Client met, or of those that it would take; none if it cannot tell. */
  certificateHashes: string[];
  id?: string | undefined;
  credentials?: JsonValue | undefined;
  /** Asks to go on with a session whose connection was lost. */
  resume?: { session: string; received: number } | undefined;
}

interface WelcomeMessage {
  type: "welcome";
  id: string;
  metadata: Metadata;
  coordinator: Peer;
  /** Data streams that each end may have open or unread on any channel of this connection. */
  streamLimit: number;
  /** Data streams that the Client may have open on all its channels. */
  clientStreamLimit?: number | undefined;
  /** By what the Client may go on after its connection was lost, for how long. Absent if it may not. */
  session?: { token: string; windowMs: number } | undefined;
  /** It does go on: with the channels of these ids, and the one with the Coordinator. */
  resumed?: { received: number; channels: number[] } | undefined;
}

interface ChannelOfferMessage {
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
  /** See `resume`. */
  epoch: number;
}

export type ControlMessageOf<T extends ControlMessage["type"]> = Extract<ControlMessage, { type: T }>;

/** The bytes of a control message. */
export function encodeControlMessage(message: ControlMessage): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(message));
}

/**
 * The control message in these bytes. Unknown fields are left out.
 *
 * @throws ConecError `protocol-error`
 */
export function decodeControlMessage(bytes: Uint8Array): ControlMessage {
  const message = parseJson(bytes);
  const type = typeOf(message);
  if (type === undefined) throw protocolError("A control message has no type that is known here");
  return { type, ...fields[type](message, type) } as ControlMessage;
}

function parseJson(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw protocolError("A control message is not JSON in UTF-8", cause);
  }
  const { members, depth } = jsonShape(bytes);
  if (depth > maxControlMessageDepth) throw protocolError("A control message is nested too deep");
  // Parsers differ in which of the two they take.
  if (members !== countMembers(value)) throw protocolError("A control message has a key twice");
  return value;
}

function typeOf(message: unknown): ControlMessage["type"] | undefined {
  if (typeof message !== "object" || message === null || !Object.hasOwn(message, "type")) return undefined;
  const { type } = message as { type: unknown };
  return typeof type === "string" && Object.hasOwn(fields, type) ? (type as ControlMessage["type"]) : undefined;
}

function protocolError(message: string, cause?: unknown): ConecError {
  return new ConecError("protocol-error", message, { source: "channel", remote: true, cause });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const name = value<string>((given) => nameFault(given) === undefined, "not a name");
const id = value<string>((given) => given !== "" && nameFault(given) === undefined, "not an id");
const metadata = value<Metadata>((given) => metadataFault(given) === undefined, "not metadata");
const json = value<JsonValue>(isFiniteJson, "a number is too large");
const uint32 = value<number>(isUint32, "not an integer of 32 bits");
/** Ids of channels and streams, and counts of streams. */
const number = value<number>(isNumber, "not an integer from 0 to 2^53 - 1");
const limit = value<number>((given) => given !== 0 && isNumber(given), "not an integer from 1 to 2^53 - 1");
/** A number for each end. */
const numbers = value<[number, number]>(isPair, "not two integers from 0 to 2^53 - 1");
/** For streams, each with a number of messages. */
const counts = value<[number, number][]>(
  (given) => isArray(given, 0, maxCounts, isPair),
  "not up to 500 streams with numbers of messages",
);
const channels = value<number[]>((given) => isArray(given, 0, Infinity, isNumber), "not ids of channels");
const truth = value<boolean>((given) => typeof given === "boolean", "neither true nor false");
const reason = value<string>(
  (given) => typeof given === "string" && encoder.encode(given).length <= maxReasonBytes,
  "not a reason",
);
/** Codes of later versions are read as the general one for that message. */
const errorCode = (general: ConecErrorCode): Shape<ConecErrorCode> => word(conecErrorCodes, general);
const bytes = (length: number): Shape<string> =>
  value((given) => isBytes(given, length), `not ${length} bytes in base64url`);
const publicKey = value<PublicKey>(isPublicKey, "not a public key");
const peer: Shape<Peer> = object({ id, metadata, publicKey: optional(publicKey) });
const ended = { stream: number, reason, streamErrorCode: optional(uint32) };

/** What each type of message holds beside its type. */
const fields: { [T in ControlMessage["type"]]: Shape<Omit<ControlMessageOf<T>, "type">> } = {
  hello: object({ versions: value<number[]>((given) => isArray(given, 1, 16, isUint32), "not 1 to 16 versions") }),
  challenge: object({ version: uint32, nonce: bytes(32) }),
  identify: object({
    publicKey,
    authority: id,
    certificateHashes: value<string[]>(
      (given) => isArray(given, 0, 16, (hash) => isBytes(hash, 32)),
      "not up to 16 hashes",
    ),
    id: optional(id),
    credentials: optional(json),
    resume: optional(object({ session: bytes(16), received: number })),
  }),
  proof: object({ signature: bytes(64) }),
  welcome: object({
    id,
    metadata,
    coordinator: peer,
    streamLimit: limit,
    clientStreamLimit: optional(limit),
    session: optional(object({ token: bytes(16), windowMs: limit })),
    resumed: optional(object({ received: number, channels })),
  }),
  channel: object({
    channel: number,
    end: value<0 | 1>((given) => given === 0 || given === 1, "neither 0 nor 1"),
    peer,
    metadata,
    opened: numbers,
    maxStreams: numbers,
    epoch: number,
  }),
  accept: object({}),
  refuse: object({ code: errorCode("refused"), reason }),
  rejoin: object({ channel: number, received: number }),
  rejoined: object({ received: number }),
  ack: object({ count: number }),

  open: object({ stream: number, name, metadata }),
  finished: object({ stream: number }),
  received: object({ counts }),
  abort: object({ ...ended, code: errorCode("aborted") }),
  stop: object({ ...ended, code: errorCode("cancelled") }),
  maxStreams: object({ count: number }),

  close: object({ closeCode: uint32, reason, code: optional(errorCode("closed")) }),
  sendChannel: object({ via: number, metadata }),
  peer: object({ peer }),
  suspend: object({}),
  resume: object({ epoch: number }),
  resumeAt: object({ epoch: number, counts, last: truth }),

  goaway: object({ reason }),
  ping: object({ id: number }),
  pong: object({ id: number }),
};

function isBytes(value: unknown, length: number): boolean {
  return typeof value === "string" && fromBase64Url(value)?.length === length;
}

function isArray(value: unknown, least: number, most: number, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length >= least && value.length <= most && value.every((item) => isItem(item));
}

function isPair(value: unknown): boolean {
  return isArray(value, 2, 2, isNumber);
}

function isNumber(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isUint32(value: unknown): boolean {
  return isNumber(value) && (value as number) <= 0xffff_ffff;
}
