// SPDX-License-Identifier: Apache-2.0
/**
 * The protocol by which files go from one Client to another, `conec-files/1`, on a channel that is theirs. docs/cli.md has
 * it for people.
 *
 * Each end opens a data stream of that name with JSON messages. The sender announces entries, several at a time; the
 * receiver says of each what it wants; the bytes of a file come on a stream of their own, named `content`, whose metadata
 * says of which entry they are and where they begin. Nothing that the other end says is believed.
 */
import * as v from "valibot";

/** Name of the service, and of the two streams with messages. */
export const filesProtocol = "conec-files/1";
/** Name of the streams with bytes. */
export const contentStream = "content";
export const maxFileMessageBytes = 32_768;
/** Entries that are announced and not settled. */
export const maxOpenEntries = 64;

const integer = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const text = v.pipe(v.string(), v.maxLength(1024));

/** What is common to files and folders. */
const common = {
  type: v.literal("entry"),
  /** A number of the sender's choice, used once. */
  entry: integer,
  /** Names of folders, and at the end its own. */
  path: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.minLength(1), v.maxLength(64)),
  /** Time of the last change, in milliseconds since 1970; up to the year 9999. */
  modifiedMs: v.optional(v.pipe(integer, v.maxValue(253_402_300_799_999))),
  /** Permissions, the nine bits of POSIX. */
  mode: v.optional(v.pipe(integer, v.maxValue(0o777))),
};

const entrySchema = v.variant("kind", [
  /** Without `size`: nobody knows yet, as for standard input. */
  v.object({ ...common, kind: v.literal("file"), size: v.optional(integer) }),
  v.object({ ...common, kind: v.literal("folder") }),
]);

/** From the sender. */
export const senderSchema = v.variant("type", [
  entrySchema,
  /** Length and SHA-256 of the whole file: the answer to `compare`, and what follows its content. */
  v.object({ type: v.literal("sum"), entry: integer, size: integer, sha256 }),
  /** The sender cannot go on with this entry. */
  v.object({ type: v.literal("gone"), entry: integer, message: text }),
  /** There are no more entries. */
  v.object({ type: v.literal("end") }),
]);

/** From the receiver. */
export const receiverSchema = v.variant("type", [
  /** A file of this name and size is there: which SHA-256 has yours? */
  v.object({ type: v.literal("compare"), entry: integer }),
  /** Send it. The first `from` bytes are here, with this SHA-256: leave them out if they are the same. */
  v.object({ type: v.literal("want"), entry: integer, from: integer, sha256: v.optional(sha256) }),
  /** It is here, whole and with the right SHA-256, under this name. `same`: it was before. */
  v.object({ type: v.literal("kept"), entry: integer, name: text, same: v.boolean() }),
  v.object({ type: v.literal("refused"), entry: integer, code: text, message: text }),
]);

/** Metadata of a `content` stream. */
export const contentSchema = v.object({ entry: integer, from: integer });

export type Entry = v.InferOutput<typeof entrySchema>;
export type FileEntry = Extract<Entry, { kind: "file" }>;
export type FolderEntry = Extract<Entry, { kind: "folder" }>;
export type SenderMessage = v.InferOutput<typeof senderSchema>;
export type ReceiverMessage = v.InferOutput<typeof receiverSchema>;
