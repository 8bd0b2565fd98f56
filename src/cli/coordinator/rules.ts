// SPDX-License-Identifier: Apache-2.0
/** Who may join a Coordinator of the command line, as whom, and whom they may reach: the rules, as decisions. */
import { createHash, timingSafeEqual } from "node:crypto";
import * as v from "valibot";

import { JsonFault, parsePlacedJson } from "./json-places.ts";

/** An id, or the beginning of one and a `*`. */
const pattern = v.pipe(
  v.string("must be text"),
  v.regex(/^[^*]{0,256}\*?$/, "must be an id, or the beginning of one with a * at its end"),
  v.nonEmpty("must not be empty"),
);
const publicKey = v.pipe(
  v.string("must be text"),
  v.regex(/^(ed25519|p256):[\w-]+$/, "must be a public key, as conec key prints it: ed25519:…"),
);
const tokenText = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"));
const hash = v.pipe(
  v.string("must be text"),
  v.regex(/^[0-9a-f]{64}$/i, "must be the 64 hexadecimal digits of a SHA-256"),
);
const origin = v.pipe(
  v.string("must be text"),
  v.check(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    "must be an origin, such as https://app.example",
  ),
);
const comment = v.optional(v.string("must be text"));

const entrySchema = v.strictObject(
  {
    id: pattern,
    publicKey: v.optional(publicKey),
    token: v.optional(tokenText),
    tokenSha256: v.optional(hash),
    reach: v.optional(v.array(pattern, "must be a list of ids"), []),
    status: v.optional(v.picklist(["own", "all"], 'must be "own" or "all"'), "own"),
    comment,
  },
  (issue) => objectFault(issue),
);

const rulesSchema = v.strictObject(
  {
    clients: v.array(entrySchema, "must be a list"),
    origins: v.optional(v.array(origin, "must be a list of origins")),
    comment,
  },
  (issue) => objectFault(issue),
);

export type Entry = v.InferOutput<typeof entrySchema>;

/** What a Client has shown when it joined. */
export interface Shown {
  readonly requestedId: string | undefined;
  readonly token: string | undefined;
  readonly publicKey: string;
  /** Of the page that it is, if it is one. */
  readonly origin: string | undefined;
}

/** Who a Client is, by an entry of the rules. */
interface Admission {
  readonly id: string;
  readonly entry: Entry;
}

export interface Rules {
  /** Undefined: it may not join. `newId` makes up an id that begins in a certain way, for who has asked for none. */
  admit(shown: Shown, newId: (beginning: string) => string): Admission | undefined;
}

/** Without a file: everybody may join under any id, reach anybody, and see everything but addresses. */
export const openRules: Rules = {
  admit: ({ requestedId }, newId) => ({ id: requestedId ?? newId("guest-"), entry: openEntry }),
};

const openEntry: Entry = { id: "*", reach: ["*"], status: "own" };

export function mayReach({ reach }: Entry, to: string): boolean {
  return reach.some((each) => matches(each, to));
}

/** What is wrong with the text of a file of rules, and where. */
export class RulesFault extends Error {
  override readonly name = "RulesFault";
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** Reads rules, of the form that docs/cli.md has. @throws RulesFault */
export function parseRules(text: string): Rules {
  let placed;
  try {
    placed = parsePlacedJson(text.replace(/^\ufeff/, ""));
  } catch (error) {
    if (error instanceof JsonFault) throw new RulesFault(`this is no JSON: ${error.message}`, error.line);
    throw error;
  }
  const parsed = v.safeParse(rulesSchema, placed.value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const path = (issue.path ?? []).map(({ key }) => key as string | number);
    throw new RulesFault(`${fieldName(path)} ${issue.message}`, placed.lineOf(path));
  }
  const { clients, origins } = parsed.output;
  return { admit: (shown, newId) => admit(clients, origins, shown, newId) };
}

function admit(
  entries: readonly Entry[],
  origins: readonly string[] | undefined,
  shown: Shown,
  newId: (beginning: string) => string,
): Admission | undefined {
  if (shown.origin !== undefined && origins !== undefined && !origins.includes(shown.origin)) return undefined;
  // Each is looked at, so that the time it takes does not tell which of them has the id.
  const fitting = entries.filter((entry) => isProven(entry, shown));
  const entry = fitting.find(({ id }) => shown.requestedId === undefined || matches(id, shown.requestedId));
  if (entry === undefined) return undefined;
  // Not the id itself: whoever has it by the same key would lose it.
  const beginning = entry.id.endsWith("*") ? entry.id.slice(0, -1) : `${entry.id}~`;
  return { id: shown.requestedId ?? newId(beginning), entry };
}

function isProven({ publicKey, token, tokenSha256 }: Entry, shown: Shown): boolean {
  const isKey = publicKey === undefined || publicKey === shown.publicKey;
  const isToken = token === undefined || isSame(sha256(token), sha256(shown.token ?? ""));
  const isHashed = tokenSha256 === undefined || isSame(Buffer.from(tokenSha256, "hex"), sha256(shown.token ?? ""));
  return isKey && isToken && isHashed;
}

function matches(pattern: string, id: string): boolean {
  return pattern.endsWith("*") ? id.startsWith(pattern.slice(0, -1)) : id === pattern;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSame(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b);
}

/** What valibot finds of an object as a whole: it is none, has a key too many, or lacks one. */
function objectFault({ expected, received }: { expected: string | null; received: string }): string {
  if (expected === "never") return "is not known here";
  return received === "undefined" ? "is missing" : "must be an object { … }";
}

/** `clients[2].token`. */
function fieldName(path: readonly (string | number)[]): string {
  const name = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return name === "" ? "the file" : name.replace(/^\./, "");
}
