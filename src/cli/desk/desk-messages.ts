// SPDX-License-Identifier: Apache-2.0
/**
 * The protocol between a Client of the command line and its Coordinator, `conec-desk/1`: who is there, and "connect me
 * with bob". docs/cli.md has it for people.
 *
 * The Client opens a data stream of that name on the channel that it shares with the Coordinator, which answers with one
 * of the same name. Each message is a JSON object. The Client sends requests, each with a number of its own choice; what
 * answers a request bears its number. Unknown fields are ignored; an unknown type ends the channel.
 */
import * as v from "valibot";

/** Name of the two streams. Another version has another name. */
export const deskProtocol = "conec-desk/1";

/** Longest request, and longest answer, in bytes. */
export const maxRequestBytes = 4096;
export const maxAnswerBytes = 65_536;

const request = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const id = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
/** What a channel is for, by the name of the protocol that is spoken on it, such as `conec-files/1`. */
const service = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9./-]{0,63}$/));

const requestSchema = v.variant("type", [
  /** This Client takes channels for a service from whoever calls it: all, or only the first. Answer: `listening`. */
  v.object({ type: v.literal("listen"), request, service, once: v.boolean() }),
  /**
   * Wants a channel with another Client for a service. It is made when that one listens for the service, or calls this
   * one for it. Answers: `waiting` if that is not so yet; then `called`, or `refused`.
   */
  v.object({ type: v.literal("call"), request, to: id, service }),
  /** Takes a `call` or `listen` back. No answer; one may be on its way. */
  v.object({ type: v.literal("cancel"), request }),
  /** Who is there, as far as this Client may know. Answers: `status`, one or more. */
  v.object({ type: v.literal("status"), request }),
  /** Answer: `pong`. */
  v.object({ type: v.literal("ping"), request }),
]);

export type Request = v.InferOutput<typeof requestSchema>;

const text = v.pipe(v.string(), v.maxLength(1024));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const timeMs = v.pipe(v.number(), v.finite());
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const clientStatus = v.object({
  id,
  publicKey: v.optional(text),
  transport: text,
  /** When it joined, by the Coordinator's clock, in milliseconds since 1970. */
  sinceMs: timeMs,
  rttMs: v.optional(v.number()),
  /** On the wire, seen from the Coordinator. */
  bytesReceived: v.optional(v.number()),
  bytesSent: v.optional(v.number()),
  /** What it takes calls for. */
  listensFor: v.array(service),
  /** Where it connects from; only for those who may see all. */
  host: v.optional(text),
});

const channelStatus = v.object({ between: v.tuple([id, id]), service, sinceMs: timeMs });

const answerSchema = v.variant("type", [
  /** The first message of the Coordinator's stream. */
  v.object({
    type: v.literal("welcome"),
    software: text,
    timeMs,
    /** What Clients may connect over: `quic`, `webtransport`, `websocket`. */
    transports: v.array(text),
    /** SHA-256 of a self-made certificate and of the one that will follow it, as hexadecimal digits. */
    certificateHashes: v.array(hash),
  }),
  v.object({ type: v.literal("listening"), request }),
  v.object({ type: v.literal("waiting"), request }),
  /** The channel has been made: it comes with the metadata `{ service, caller }`, `caller` being an id. */
  v.object({ type: v.literal("called"), request }),
  v.object({ type: v.literal("refused"), request, code: text, message: text }),
  v.object({
    type: v.literal("status"),
    request,
    timeMs,
    startedMs: timeMs,
    /** How many there are, whether this Client may see them or not. */
    clientCount: count,
    channelCount: count,
    streamsForwarded: count,
    clients: v.array(clientStatus),
    channels: v.array(channelStatus),
    /** Another `status` follows, with more of them. */
    more: v.boolean(),
  }),
  v.object({ type: v.literal("pong"), request, timeMs }),
  /** The Coordinator makes no more channels, and closes when those that are there have ended, or after so long. */
  v.object({ type: v.literal("goaway"), reason: text, withinMs: count }),
]);

export type Answer = v.InferOutput<typeof answerSchema>;
export type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { type: Type }>;
export type ClientStatus = v.InferOutput<typeof clientStatus>;
export type ChannelStatus = v.InferOutput<typeof channelStatus>;

export { answerSchema, requestSchema };

/** What both ends of a channel that was asked for find in its metadata. */
export const callMetadata = v.object({ service, caller: id });

/** What a Client may show beside its key when it joins: `credentials`. */
export const credentialsSchema = v.object({ token: v.optional(v.pipe(v.string(), v.maxLength(1024))) });
