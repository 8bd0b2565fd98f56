import { abortMarker, writeHeader } from "../../../src/streams/framing.ts";
import type { BadInput, Table } from "./bad-input.ts";
import type { Eve } from "./eve.ts";
import { framed } from "./line.ts";
import type { Line } from "./line.ts";

const mebibyte = 1024 * 1024;
const ping = framed('{"type":"ping","id":1}');

/** The header of a message of this length, in its shortest form. */
function header(messageBytes: number): Uint8Array {
  const bytes = new Uint8Array(8);
  return bytes.subarray(0, writeHeader(bytes, 0, messageBytes));
}

/** A varint of 8 bytes, whatever its value. */
function longVarint(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, (3n << 62n) | value);
  return bytes;
}

const lengths: [name: string, header: Uint8Array][] = [
  ["of 2^32 - 1 bytes", header(2 ** 32 - 1)],
  ["of 2^53 - 2 bytes", header(2 ** 53 - 2)],
  ["of 2^53 bytes", longVarint(2n ** 53n + 1n)],
  ["of 2^62 - 3 bytes", longVarint(2n ** 62n - 2n)],
];

/** On a control stream. */
export const controlFraming: Table = {
  level: "framing of control streams",
  cases: [
    ["an end marker", (eve) => eve.control.write([0]), "connection connection-lost"],
    ["an empty message", (eve) => eve.control.write([1]), "connection protocol-error"],
    ["the abort marker", (eve) => eve.control.write(abortMarker), "connection aborted"],
    ["a message of the longest length", (eve) => eve.control.text(`{"type":"ping","id":1}`.padEnd(32_768)), "nothing"],
    ["a byte more", (eve) => eve.control.text(`{"type":"ping","id":1}`.padEnd(32_769)), "connection message-too-large"],
    ...lengths.map(([name, bytes]): BadInput => [
      `a message ${name}`,
      (eve) => eve.control.write(bytes),
      "connection message-too-large",
    ]),
    ["a longer header than need be", (eve) => eve.control.write(longVarint(23n), ping.subarray(1)), "nothing"],
    ["a message, byte by byte", (eve) => eve.control.write(...[...ping].map((byte) => [byte])), "nothing"],
    ["a message, cut anywhere", sayInTwoParts, "nothing"],
    ["the end inside a header", (eve) => cut(eve, [0x40]), "connection truncated"],
    ["the end inside a message", (eve) => cut(eve, ping.subarray(0, 9)), "connection truncated"],
    ["the end without a marker", (eve) => cut(eve, []), "connection truncated"],
    ["a reset", (eve) => eve.control.abort(), "connection aborted"],
    ["bytes behind the end", (eve) => eve.control.write([0], ping), "connection connection-lost"],
    [
      "a request of HTTP/1.1",
      (eve) => eve.control.write(ascii("GET / HTTP/1.1\r\n\r\n".repeat(200))),
      "connection protocol-error",
    ],
    ["nothing but 0x40", (eve) => eve.control.write(new Uint8Array(5000).fill(0x40)), "connection protocol-error"],
  ],
};

/** On a data stream, to the Coordinator and, through it, to another Client. */
export const dataFraming: Table = {
  level: "framing of data streams",
  cases: [...dataCases("to the Coordinator", toCoordinator), ...dataCases("to Carol", toCarol)],
  options: { limits: { pairTimeoutMs: 600 } },
};

type Chunks = (Uint8Array | readonly number[])[];
type Open = (eve: Eve, ...chunks: Chunks) => Promise<{ line: Line; writer: WritableStreamDefaultWriter<Uint8Array> }>;

async function toCoordinator(eve: Eve, ...chunks: Chunks) {
  return { line: eve.control, writer: await eve.stream(eve.control, 0, 0, ...chunks) };
}

async function toCarol(eve: Eve, ...chunks: Chunks) {
  const { id, line } = await eve.link();
  return { line, writer: await eve.stream(line, id, 0, ...chunks) };
}

function dataCases(whom: string, open: Open): BadInput[] {
  const ended =
    (...chunks: Chunks) =>
    async (eve: Eve): Promise<Line> => {
      const { line, writer } = await open(eve, ...chunks);
      await writer.close().catch(() => {});
      return line;
    };
  /** All of it is taken in the end. */
  const received =
    (...chunks: Chunks) =>
    async (eve: Eve): Promise<void> => {
      await (await ended(...chunks)(eve)).next("finished");
    };
  const cases: BadInput[] = [
    [
      "a message of 16 MiB",
      received(header(16 * mebibyte), ...Array.from({ length: 16 }, () => new Uint8Array(mebibyte)), [0]),
      "nothing",
    ],
    ["a byte more", (eve) => open(eve, header(16 * mebibyte + 1)), "stream message-too-large"],
    ...lengths.map(([name, bytes]): BadInput => [
      `a message ${name}`,
      (eve) => open(eve, bytes),
      "stream message-too-large",
    ]),
    [
      "a longer header than need be, byte by byte",
      received(...[...longVarint(3n), 1, 2, 0].map((byte) => [byte])),
      "nothing",
    ],
    ["10 000 empty messages in one piece", received(new Uint8Array(10_001).fill(1, 0, 10_000)), "nothing"],
    ["bytes behind the end", received([2, 1, 0, 2, 2]), "nothing"],
    ["the end inside a header", ended([0x80, 0]), "stream truncated"],
    ["the end inside a message", ended([9, 1, 2]), "stream truncated"],
    ["the end without a marker", ended([2, 1]), "stream truncated"],
    ["the abort marker, and no word why", ended([2, 1], abortMarker), "stream cancelled"],
  ];
  return cases.map(([name, does, gets]) => [`${name}, ${whom}`, does, gets]);
}

async function sayInTwoParts(eve: Eve): Promise<void> {
  for (let at = 1; at < ping.length; at += 1) {
    await eve.control.write(ping.subarray(0, at), ping.subarray(at));
    await eve.control.next("pong");
  }
}

async function cut(eve: Eve, bytes: Uint8Array | readonly number[]): Promise<void> {
  await eve.control.write(bytes);
  await eve.control.end();
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
