import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeControlMessage, maxControlMessageDepth } from "../../src/core/control-messages.ts";
import { countMembers, jsonShape } from "../../src/core/json-shape.ts";
import { anyControlMessage } from "./any-control-message.ts";

const utf8 = new TextEncoder();
const hasRepeatedKey = (json: string): boolean =>
  jsonShape(utf8.encode(json)).members !== countMembers(JSON.parse(json));

/** JSON as it may be written: objects as lists of members, keys repeated or not, strings escaped in any way. */
type Written =
  | { kind: "plain"; json: string }
  | { kind: "array"; items: Written[] }
  | { kind: "object"; members: [key: string, value: Written][] };

const character = fc.oneof(
  fc.constantFrom('"', "\\", ":", "{", "}", "[", "]", ",", "a", "é", "😀", "\n"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
const text = fc.array(character, { maxLength: 6 }).map((characters) => characters.join(""));
/** V8 14.6 (Node 26) reads `{"type":1,"\u0061":2}` as `{"type":1,"\\":2}` if it has read such an object before. */
const confusesV8 = (name: string): boolean => name.length === 1 && JSON.stringify(name).length > 3;
const key = fc.oneof(
  fc.constantFrom("a", "b", "type", "__proto__", "1", "0", ""),
  text.filter((name) => !confusesV8(name)),
);
const plain = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
const { written } = fc.letrec<{ written: Written }>((tie) => ({
  written: fc.oneof(
    { maxDepth: 4 },
    plain.map((value) => ({ kind: "plain", json: JSON.stringify(value) }) as const),
    fc.array(tie("written"), { maxLength: 3 }).map((items) => ({ kind: "array", items }) as const),
    fc.array(fc.tuple(key, tie("written")), { maxLength: 4 }).map((members) => ({ kind: "object", members }) as const),
  ),
}));

/** As text, with spaces and escapes that depend on `seed`. */
function write(value: Written, seed: number): string {
  const space = ["", " ", "\n\t", "  "][seed % 4]!;
  if (value.kind === "plain") return value.json;
  const next = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  if (value.kind === "array") return `[${space}${value.items.map((item) => write(item, next)).join(`${space},`)}]`;
  const members = value.members.map(
    ([name, member], index) =>
      `${space}${escapeSome(name, next + index)}${space}:${space}${write(member, next + index)}`,
  );
  return `{${members.join(",")}${space}}`;
}

/** The same key in another dress: `ab` as `\u0061\u0062`. */
function escapeSome(name: string, seed: number): string {
  if (seed % 3 !== 0 || name.length === 1) return JSON.stringify(name);
  const units = Array.from({ length: name.length }, (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, "0")}`);
  return `"${units.join("")}"`;
}

/** What a reader that keeps every member would see. */
function repeats(value: Written): boolean {
  if (value.kind === "plain") return false;
  if (value.kind === "array") return value.items.some(repeats);
  const names = value.members.map(([name]) => name);
  return new Set(names).size < names.length || value.members.some(([, member]) => repeats(member));
}

function depth(value: Written): number {
  if (value.kind === "plain") return 0;
  const inner = value.kind === "array" ? value.items : value.members.map(([, member]) => member);
  return 1 + Math.max(0, ...inner.map(depth));
}

test("finds a repeated key, however it is written and wherever it stands, and nothing else", () => {
  let found = 0;
  fc.assert(
    fc.property(written, fc.nat(), (value, seed) => {
      const json = write(value, seed);
      const expected = repeats(value);
      if (expected) found += 1;
      expect(hasRepeatedKey(json)).toBe(expected);
      expect(jsonShape(utf8.encode(json)).depth).toBe(depth(value));
    }),
    { numRuns: 2000 },
  );
  expect(found).toBeGreaterThan(100); // else the arbitrary is of no use
});

test.each([
  ['{"a":1,"a":2}', true],
  ['{"a":1,"\\u0061":1}', true],
  ['{"__proto__":1,"__proto__":2}', true],
  ['[{"a":1},{"a":1}]', false],
  ['{"a":{"a":{"a":1}}}', false],
  ['{"a":"\\":\\"a\\":"}', false],
  ['{"a\\\\":1,"a":":"}', false],
  ['{"":1,"":1}', true],
  ['"a:b"', false],
  ["1", false],
  ["null", false],
])("%s: %s", (json, expected) => {
  expect(hasRepeatedKey(json)).toBe(expected);
});

describe("control messages", () => {
  const fault = (json: string): unknown => {
    try {
      return decodeControlMessage(utf8.encode(json));
    } catch (error) {
      return error;
    }
  };

  test("with a key twice are refused, wherever it is, known or not", () => {
    fc.assert(
      fc.property(anyControlMessage(), fc.nat(), (message, which) => {
        const json = JSON.stringify(message);
        const keys = Object.keys(message);
        const repeated = keys[which % keys.length]!;
        const value = JSON.stringify((message as unknown as Record<string, unknown>)[repeated]);
        expect(fault(`${json.slice(0, -1)},${JSON.stringify(repeated)}:${value}}`)).toMatchObject({
          code: "protocol-error",
          message: "A control message has a key twice",
        });
        expect(fault(`${json.slice(0, -1)},"x":{"y":1,"y":1}}`)).toMatchObject({ code: "protocol-error" });
      }),
    );
  });

  test("are nested to a bound", () => {
    const nested = (levels: number) => `{"type":"accept","x":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    expect(fault(nested(maxControlMessageDepth))).toEqual({ type: "accept" });
    expect(fault(nested(maxControlMessageDepth + 1))).toMatchObject({
      code: "protocol-error",
      message: "A control message is nested too deep",
    });
  });
});
