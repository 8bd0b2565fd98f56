import { toBase64Url } from "../../../src/core/base64url.ts";
import { authorityOf, createProof } from "../../../src/core/client-proof.ts";
import { encodeControlMessage } from "../../../src/core/control-messages.ts";
import type { IdentifyMessage } from "../../../src/core/control-messages.ts";
import { generateKeyPair, publicKeyOf } from "../../../src/index.ts";
import { encodeVarints } from "../../../src/streams/varint.ts";
import { quicKind } from "../../support/hub.ts";
import type { BadInput, Table } from "./bad-input.ts";
import type { Eve } from "./eve.ts";
import { http3Kind } from "./http3-kind.ts";
import type { Line } from "./line.ts";

const hello = { type: "hello", versions: [1] };
const keyPair = await generateKeyPair();
const publicKey = await publicKeyOf(keyPair);

/** What is said instead of a hello. */
const beginnings: [name: string, begin: (line: Line) => Promise<void>, BadInput[2]][] = [
  ["another protocol", (line) => line.text("GET / HTTP/1.1\r\n\r\n"), "request protocol-error"],
  ["no UTF-8", (line) => line.write([3, 0xff, 0xfe]), "request protocol-error"],
  ["a hello of 2^40 bytes", (line) => line.write(encodeVarints(2 ** 40)), "request message-too-large"],
  ["an empty message", (line) => line.write([1]), "request protocol-error"],
  ["the end, after a header", (line) => line.write([0x40]).then(() => line.end()), "request truncated"],
  ["the abort marker", (line) => line.write(new Uint8Array(8).fill(0xff)), "request aborted"],
  ["an accept", (line) => line.say({ type: "accept" }), "request protocol-error"],
  ["a welcome", (line) => line.say(welcome), "request protocol-error"],
  [
    "a proof",
    (line) => line.say({ type: "proof", signature: toBase64Url(new Uint8Array(64)) }),
    "request protocol-error",
  ],
  ["an identify", (line) => line.say(identify("localhost", [])), "request protocol-error"],
  ["an unknown message", (line) => line.say({ type: "frobnicate" }), "request protocol-error"],
  ["a type with a name of objects", (line) => line.say({ type: "constructor" }), "request protocol-error"],
  ["a list", (line) => line.say([hello]), "request protocol-error"],
  ["null", (line) => line.text("null"), "request protocol-error"],
  [
    "versions that are none of ours",
    (line) => line.say({ ...hello, versions: [0, 2, 99] }),
    "request version-mismatch",
  ],
  ["no versions", (line) => line.say({ ...hello, versions: [] }), "request protocol-error"],
  ["17 versions", (line) => line.say({ ...hello, versions: Array(17).fill(1) }), "request protocol-error"],
  ["a version of -1", (line) => line.say({ ...hello, versions: [1, -1] }), "request protocol-error"],
  ["a version of 1.5", (line) => line.say({ ...hello, versions: [1.5] }), "request protocol-error"],
  ["a version in text", (line) => line.say({ ...hello, versions: ["1"] }), "request protocol-error"],
  ["versions twice", (line) => line.text('{"type":"hello","versions":[1],"versions":[1]}'), "request protocol-error"],
];

const welcome = {
  type: "welcome",
  id: "eve",
  metadata: {},
  coordinator: { id: "coordinator", metadata: {} },
  streamLimit: 256,
};

function identify(authority: string, certificateHashes: string[]): IdentifyMessage {
  return { type: "identify", publicKey, authority, certificateHashes, id: "eve" };
}

/** Says hello, hears the challenge, and answers as it should, but for what `change` makes of that. */
function answers(change: (proper: Proper) => unknown[] | Promise<unknown[]>) {
  return async (eve: Eve): Promise<void> => {
    const line = (eve.control = await eve.line());
    await line.say(hello);
    const { nonce } = await line.next("challenge");
    const hashes = (eve.connection.server?.certificateHashes ?? []).map(toBase64Url);
    const proper = { nonce, identify: identify(authorityOf(eve.url), hashes) };
    await line.say(...(await change(proper)));
  };
}

interface Proper {
  nonce: string;
  identify: IdentifyMessage;
}

async function proofOf({ nonce, identify }: Proper): Promise<{ type: "proof"; signature: string }> {
  return { type: "proof", signature: await createProof(keyPair, nonce, encodeControlMessage(identify)) };
}

/** Identifies itself with these fields changed, and proves that. */
const claims = (fields: Record<string, unknown>) =>
  answers(async (proper) => {
    const identify = { ...proper.identify, ...fields } as IdentifyMessage;
    return [identify, await proofOf({ ...proper, identify })];
  });

const anotherHash = [toBase64Url(new Uint8Array(32).fill(9))];
const anotherKey = `ed25519:${toBase64Url(new Uint8Array(32).fill(7))}`;
const zeros = (length: number) => ({ type: "proof", signature: toBase64Url(new Uint8Array(length)) });
const noPoint = `p256:${toBase64Url(new Uint8Array(65).fill(4))}`;
const answersToChallenge: BadInput[] = [
  [
    "a reset",
    async (eve) => {
      await answers(() => [])(eve);
      await eve.control.abort();
    },
    "request aborted",
  ],
  ["a second hello", answers(() => [hello]), "request protocol-error"],
  ["a proof without an identify", answers(async (proper) => [await proofOf(proper)]), "request protocol-error"],
  ["an identify twice", answers(({ identify }) => [identify, identify]), "request protocol-error"],
  ["a signature of zeros", answers(({ identify }) => [identify, zeros(64)]), "request refused"],
  ["a signature that is too short", answers(({ identify }) => [identify, zeros(63)]), "request protocol-error"],
  ["a key that is not its own", claims({ publicKey: anotherKey }), "request refused"],
  ["a key that is no point", claims({ publicKey: noPoint }), "request refused"],
  ["a key of another kind", claims({ publicKey: "rsa:AAAA" }), "request protocol-error"],
  [
    "an id that was not signed",
    answers(async (proper) => [{ ...proper.identify, id: "alice" }, await proofOf(proper)]),
    "request refused",
  ],
  [
    "a nonce of its own",
    answers(async (proper) => [proper.identify, await proofOf({ ...proper, nonce: toBase64Url(new Uint8Array(32)) })]),
    "request refused",
  ],
  ["17 certificates", claims({ certificateHashes: Array(17).fill(anotherHash[0]) }), "request protocol-error"],
  ["no authority", claims({ authority: "" }), "request protocol-error"],
  ["an id with a line break", claims({ id: "eve\r\nalice" }), "request protocol-error"],
  ["an empty id", claims({ id: "" }), "request protocol-error"],
  ["an id of 257 characters", claims({ id: "e".repeat(257) }), "request protocol-error"],
  ["an id of another direction", claims({ id: "\u202eevila" }), "request protocol-error"],
  ["an id with half a character", claims({ id: "\ud800" }), "request protocol-error"],
  ["an id that is none", claims({ id: { toString: "alice" } }), "request protocol-error"],
  [
    "credentials nested 40 deep",
    claims({ credentials: JSON.parse("[".repeat(40) + "]".repeat(40)) as unknown }),
    "request protocol-error",
  ],
  [
    "an answer that was good once",
    async (eve, scene) => {
      const first = await scene.eve();
      let overheard: unknown[] = [];
      await answers(async (proper) => (overheard = [proper.identify, await proofOf(proper)]))(first);
      await first.control.next("welcome");
      await first.leave();
      await answers(() => overheard)(eve);
    },
    "request refused",
  ],
];

const streams: BadInput[] = [
  ["data", (eve) => eve.data([0, 0, 2, 1]), "connection protocol-error"],
  ["half a header of data", (eve) => eve.data([0x40]), "connection protocol-error"],
  [
    "data on a stream of two directions",
    async (eve) => await (await eve.line()).write([0, 0, 0, 2, 1]),
    "connection protocol-error",
  ],
  ["an end marker", async (eve) => await (await eve.line()).write([0]), "connection protocol-error"],
  [
    "data between two messages",
    async (eve) => {
      await answers(() => [])(eve);
      await eve.data([0, 0, 2, 1]);
    },
    "connection protocol-error",
  ],
  [
    "two control streams",
    async (eve) => {
      for (const line of [await eve.line(), await eve.line()]) await line.say(hello);
    },
    "connection protocol-error",
  ],
  [
    "40 000 bytes, none of them wrong",
    async (eve) => {
      const line = await eve.line();
      await line.say({ ...hello, more: "x".repeat(20_000) });
      await line.next("challenge");
      await line.say({ ...identify("localhost", []), more: "x".repeat(20_000) });
    },
    "request limit-exceeded",
  ],
];

/** What strangers say, before they are let in. */
export const joining: Table = {
  level: "joining",
  strangers: true,
  cases: [
    ...beginnings.map(([name, begin, gets]): BadInput => [name, async (eve) => begin(await eve.line()), gets]),
    ...answersToChallenge,
    ...streams,
  ],
};

/** Who believes to be somewhere else: only where there are certificates. */
export const elsewhere: Table = {
  level: "joining with a proof for another place",
  strangers: true,
  kinds: [quicKind, http3Kind],
  cases: [
    ["another certificate", claims({ certificateHashes: anotherHash }), "request refused"],
    ["another host", claims({ certificateHashes: [], authority: "elsewhere.example" }), "request refused"],
    ["another address", claims({ certificateHashes: [], authority: "192.0.2.1:4433" }), "request refused"],
  ],
};

/** Who does not go on. */
export const silence: Table = {
  level: "joining without a word",
  strangers: true,
  options: { limits: { authenticateTimeoutMs: 700 } },
  cases: [
    ["nothing", () => {}, "connection timeout"],
    ["half a hello", async (eve) => await (await eve.line()).write([0x40]), "request timeout"],
    ["no answer to the challenge", answers(() => []), "request timeout"],
    ["no proof", answers(({ identify }) => [identify]), "request timeout"],
  ],
};
