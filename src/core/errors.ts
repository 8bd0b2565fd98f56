// SPDX-License-Identifier: Apache-2.0
/**
 * What went wrong, as one of a closed set of words.
 *
 * - `aborted`: the writing end aborted the stream; `message` is its reason.
 * - `cancelled`: the reading end cancelled the stream; `message` is its reason.
 * - `truncated`: a stream ended inside a message.
 * - `message-too-large`: a message is longer than `maxMessageBytes`.
 * - `closed`: the stream, channel or connection was closed before the call could be carried out.
 * - `detached`: the channel was passed on and can no longer be used here.
 * - `streams-open`: a channel that still has open streams cannot be passed on.
 * - `refused`: the other party, or a policy, said no; `message` is its reason.
 * - `replaced`: a newer connection took over this Client's id.
 * - `limit-exceeded`: a count, size or rate went over its limit.
 * - `timeout`: an answer did not come in its time.
 * - `peer-lost`: the party at the far end of a passed channel is gone.
 * - `connection-lost`: the connection ended without a close (idle timeout, reset by the other host).
 * - `unreachable`: nobody answers at that address.
 * - `certificate-untrusted`, `certificate-expired`, `certificate-name-mismatch`: the server is not who it should be. With
 *   `remote` false: the server does not take this Client's own certificate.
 * - `certificate-required`: the server takes only Clients that show a certificate.
 * - `alpn-mismatch`: something else than conec listens there.
 * - `version-mismatch`: no protocol version in common.
 * - `address-in-use`: the port is taken.
 * - `protocol-error`: a party broke the protocol.
 * - `invalid-argument`: a call was given something it does not take.
 * - `unsupported`: this runtime or machine lacks what the call needs.
 * - `internal`: a fault in conec itself.
 */
export type ConecErrorCode = (typeof conecErrorCodes)[number];

/** Every {@link ConecErrorCode}, for checks at run time. */
export const conecErrorCodes = [
  "aborted",
  "cancelled",
  "truncated",
  "message-too-large",
  "closed",
  "detached",
  "streams-open",
  "refused",
  "replaced",
  "limit-exceeded",
  "timeout",
  "peer-lost",
  "connection-lost",
  "unreachable",
  "certificate-untrusted",
  "certificate-expired",
  "certificate-name-mismatch",
  "certificate-required",
  "alpn-mismatch",
  "version-mismatch",
  "address-in-use",
  "protocol-error",
  "invalid-argument",
  "unsupported",
  "internal",
] as const;

/** The smallest thing that the error has ended. */
export type ConecErrorSource = "stream" | "channel" | "connection";

/** What a {@link ConecError} says beside its code and message. */
export interface ConecErrorOptions {
  /** The smallest thing that the error has ended. Default `"connection"`. */
  source?: ConecErrorSource;
  /** True when the other party caused it. Default false. */
  remote?: boolean;
  /** The error underneath, if there is one. */
  cause?: unknown;
  /** Application error code of the stream, an integer from 0 to 2^32 − 1 (W3C WebTransport, `streamErrorCode`). */
  streamErrorCode?: number;
}

/**
 * The one error class of conec. Programs look at `code`; `message` is for people.
 *
 * @example
 * ```ts
 * try {
 *   await source.pipeTo(writable);
 * } catch (error) {
 *   if (error instanceof ConecError && error.code === "cancelled") console.log("the reader had enough");
 * }
 * ```
 */
export class ConecError extends Error {
  /** Always this. */
  override readonly name = "ConecError";
  /** What went wrong: what programs decide by. */
  readonly code: ConecErrorCode;
  /** The smallest thing that the error has ended. */
  readonly source: ConecErrorSource;
  /** Whether the other party caused it. */
  readonly remote: boolean;
  /** What the other end's reason for an `abort` or a `cancel` had as its `streamErrorCode`, if anything. */
  readonly streamErrorCode: number | undefined;

  /** For programs that have errors of their own to say in conec's words, as a transport does. */
  constructor(code: ConecErrorCode, message: string, options: ConecErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.source = options.source ?? "connection";
    this.remote = options.remote ?? false;
    this.streamErrorCode = options.streamErrorCode;
  }
}

/** Turns whatever was thrown into a ConecError, keeping the original as `cause`. */
export function toConecError(thrown: unknown, code: ConecErrorCode, options: ConecErrorOptions = {}): ConecError {
  if (thrown instanceof ConecError) return thrown;
  return new ConecError(code, reasonText(thrown) || code, { cause: thrown, ...options });
}

/** Longest reason text that travels to the other end, in UTF-8 bytes. */
export const maxReasonBytes = 1024;

/**
 * The text of an `abort(reason)`, `cancel(reason)` or `close({ reason })`: a string as it is, an Error's message,
 * nothing for anything else; cut at {@link maxReasonBytes} without splitting a character.
 */
export function reasonText(reason: unknown): string {
  const text = typeof reason === "string" ? reason : messageOf(reason);
  return truncateUtf8(text, maxReasonBytes);
}

/**
 * A text that a peer chose, as it stands in a message of ours: in quotes, cut at 128 bytes, and without anything that a
 * terminal or a log would take for other than text.
 */
export function quoted(value: unknown): string {
  const text = String(value);
  const printable = JSON.stringify(text.slice(0, maxQuotedBytes))
    .slice(1, -1)
    .replace(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  const short = truncateUtf8(printable, maxQuotedBytes);
  return `"${short}${short.length < printable.length || text.length > maxQuotedBytes ? "…" : ""}"`;
}

/** Whatever is no letter, mark, number, punctuation, symbol or plain space. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const maxQuotedBytes = 128;

/** The `streamErrorCode` of a reason, if it carries a valid one (an integer from 0 to 2^32 − 1). */
export function streamErrorCodeOf(reason: unknown): number | undefined {
  if (typeof reason !== "object" || reason === null) return undefined;
  const code = property(reason, "streamErrorCode");
  return typeof code === "number" && Number.isInteger(code) && code >= 0 && code <= 0xffff_ffff ? code : undefined;
}

/**
 * A reason as it travels in a control message: its code (that of a ConecError which says what was wrong with the stream,
 * else `fallback`), its text, and its `streamErrorCode` if it has one.
 */
export function describeReason(
  reason: unknown,
  fallback: "aborted" | "cancelled",
): { code: ConecErrorCode; reason: string; streamErrorCode?: number } {
  const streamErrorCode = streamErrorCodeOf(reason);
  return {
    code: reason instanceof ConecError && faults.has(reason.code) ? reason.code : fallback,
    reason: reasonText(reason),
    ...(streamErrorCode === undefined ? {} : { streamErrorCode }),
  };
}

const faults: ReadonlySet<ConecErrorCode> = new Set([
  "truncated",
  "message-too-large",
  "refused",
  "limit-exceeded",
  "timeout",
  "protocol-error",
  "invalid-argument",
]);

function messageOf(reason: unknown): string {
  if (typeof reason !== "object" || reason === null) return "";
  const message = property(reason, "message");
  return typeof message === "string" ? message : "";
}

/** A property of something that a program gave; its getter may throw. */
function property(reason: object, name: string): unknown {
  try {
    return (reason as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** Not by `encodeInto`: that of Node 26.10 may leave out a last character that fits. */
function truncateUtf8(text: string, maxBytes: number): string {
  // Each of these units takes a byte or more, so the last one, which may be half a character, is behind the cut.
  const bytes = new TextEncoder().encode(text.slice(0, maxBytes + 1));
  let end = Math.min(bytes.length, maxBytes);
  while (end < bytes.length && isInsideCharacter(bytes[end]!)) end -= 1;
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end));
}

function isInsideCharacter(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
