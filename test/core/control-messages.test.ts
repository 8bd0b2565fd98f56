import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeControlMessage, encodeControlMessage, maxControlMessageBytes } from "../../src/core/control-messages.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { ConecError } from "../../src/core/errors.ts";
import { readVectors } from "../vectors/read-vectors.ts";
import { anyControlMessage } from "./any-control-message.ts";

interface Vector {
  name: string;
  message: ControlMessage;
  json: string;
}

const utf8 = new TextEncoder();
const vectors = readVectors<Vector>("control-messages");

test.each(vectors)("$name is written and read", ({ message, json }) => {
  expect(new TextDecoder().decode(encodeControlMessage(message))).toBe(json);
  expect(decodeControlMessage(utf8.encode(json))).toEqual(message);
});

test("there is a vector for every type", () => {
  const seen = new Set(fc.sample(anyControlMessage(), 500).map(({ type }) => type));
  expect(new Set(vectors.map(({ message }) => message.type))).toEqual(seen);
});

test.each(readVectors<Vector>("control-messages", "read"))("reads: $name", ({ json, message }) => {
  expect(decodeControlMessage(utf8.encode(json))).toEqual(message);
});

test.each(readVectors<Vector>("control-messages", "bad"))("refuses: $name", ({ json }) => {
  expect(faultOf(utf8.encode(json))).toMatchObject({ code: "protocol-error", source: "channel", remote: true });
});

test.each([
  ["a stray byte", [0xff]],
  ["an overlong form", [0xc0, 0x80]],
  ["a surrogate", [0xed, 0xa0, 0x80]],
  ["a cut character", [0xe4, 0xb8]],
])("refuses invalid UTF-8: %s", (_, bytes) => {
  const json = [...utf8.encode('{"type":"goaway","reason":"'), ...bytes, ...utf8.encode('"}')];
  expect(faultOf(Uint8Array.from(json))).toMatchObject({ code: "protocol-error" });
});

test("the message of a fault is short, whatever came", () => {
  const fault = faultOf(utf8.encode(JSON.stringify({ type: "x".repeat(30_000) })));
  expect(fault!.message.length).toBeLessThan(300);
});

test("nesting as deep as a message can hold neither throws otherwise nor is let into metadata", () => {
  const deep = (open: string, close: string): string =>
    open.repeat(maxControlMessageBytes / 2 / open.length) +
    "1" +
    close.repeat(maxControlMessageBytes / 2 / open.length);
  for (const value of [deep("[", "]"), deep('{"a":', "}")]) {
    expect(faultOf(utf8.encode(`{"type":"open","stream":1,"name":"","metadata":{"a":${value}}}`))).toBeDefined();
    expect(faultOf(utf8.encode(value))).toBeDefined();
  }
});

test("what is written reads the same, for any message, and is short enough to be sent", () => {
  fc.assert(
    fc.property(anyControlMessage(), (message) => {
      const bytes = encodeControlMessage(message);
      expect(bytes.length).toBeLessThan(maxControlMessageBytes);
      expect(decodeControlMessage(bytes)).toEqual(JSON.parse(JSON.stringify(message)));
    }),
    { numRuns: 500 },
  );
});

test("the largest metadata fits twice into a message", () => {
  const metadata = { a: "x".repeat(4088) };
  const name = "\\".repeat(256);
  const bytes = encodeControlMessage({
    type: "channel",
    channel: 1,
    end: 0,
    peer: { id: name, metadata },
    metadata,
    opened: [0, 0],
    maxStreams: [0, 0],
    epoch: 0,
  });
  expect(bytes.length).toBeLessThan(maxControlMessageBytes);
  expect(faultOf(bytes)).toBeUndefined();
});

test("any JSON is a message or a protocol error", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 4 }), (json) => void faultOf(utf8.encode(json))));
});

test("any object of a known type is a message or a protocol error", () => {
  const types = vectors.map(({ message }) => message.type);
  const field = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.nat(), fc.constant({}));
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.dictionary(fc.constantFrom(...fieldNames()), field, { noNullPrototype: true }),
      (type, fields) => void faultOf(utf8.encode(JSON.stringify({ ...fields, type }))),
    ),
    { numRuns: 500 },
  );
});

test("a message with one field changed is a message or a protocol error", () => {
  fc.assert(
    fc.property(anyControlMessage(), fc.nat(), fc.jsonValue({ maxDepth: 2 }), (message, which, value) => {
      const keys = Object.keys(message);
      faultOf(utf8.encode(JSON.stringify({ ...message, [keys[which % keys.length]!]: value })));
    }),
    { numRuns: 500 },
  );
});

test("any bytes are a message or a protocol error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void faultOf(bytes)));
});

/** The fault of these bytes, if they have one; whatever else is thrown fails the test. */
function faultOf(bytes: Uint8Array): ConecError | undefined {
  try {
    decodeControlMessage(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConecError) || error.code !== "protocol-error") throw error;
    return error;
  }
}

function fieldNames(): string[] {
  return [...new Set(vectors.flatMap(({ message }) => Object.keys(message)))];
}
