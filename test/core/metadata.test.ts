import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkMetadata, checkName, maxNameLength, metadataFault, nameFault } from "../../src/core/metadata.ts";

describe("metadata", () => {
  test("may be any small JSON object", () => {
    const value = { text: "a\u0000\u202e", number: -1.5, yes: true, no: null, list: [1, [2, { a: {} }]], "": "" };
    expect(metadataFault(value)).toBeUndefined();
    expect(checkMetadata(value)).toEqual(value);
    expect(checkMetadata(undefined)).toEqual({});
    expect(checkMetadata(Object.assign(Object.create(null) as object, { a: 1 }))).toEqual({ a: 1 });
  });

  test("is copied", () => {
    const value = { list: [1] };
    const copy = checkMetadata(value);
    value.list.push(2);
    expect(copy).toEqual({ list: [1] });
  });

  test.each([
    ["null", null],
    ["a string", "text"],
    ["an array", []],
    ["a Map", new Map()],
    ["a Date", new Date(0)],
    ["an object of a class", new URLSearchParams()],
    ["NaN", { a: Number.NaN }],
    ["Infinity", { a: [Infinity] }],
    ["undefined within", { a: undefined }],
    ["a function within", { a: () => 1 }],
    ["toJSON", { toJSON: () => ({}) }],
    ["a symbol within", { a: Symbol("s") }],
    ["a bigint within", { a: 1n }],
    ["a Date within", { a: new Date(0) }],
    ["bytes within", { a: new Uint8Array(2) }],
    ["a hole in an array", { a: [1, , 2] }], // oxlint-disable-line no-sparse-arrays -- what is tested
    ["__proto__", JSON.parse('{"__proto__":1}')],
    ["__proto__ within", { a: [JSON.parse('{"__proto__":{"b":1}}')] }],
    ["constructor", JSON.parse('{"constructor":1}')],
    ["prototype", { prototype: 1 }],
  ])("must not be or hold %s", (_, value) => {
    expect(metadataFault(value)).toEqual(expect.any(String));
    expect(() => checkMetadata(value)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("has at most 32 keys at the top", () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]));
    expect(metadataFault(keys(32))).toBeUndefined();
    expect(metadataFault(keys(33))).toContain("32 keys");
    expect(metadataFault(keys(100_000))).toContain("32 keys");
    expect(metadataFault({ a: keys(33) })).toBeUndefined();
  });

  test("has at most 4096 bytes as JSON", () => {
    expect(metadataFault({ a: "x".repeat(4096 - 8) })).toBeUndefined();
    expect(metadataFault({ a: "x".repeat(4096 - 7) })).toContain(
      "4096 bytes, not 4097".replace("bytes, not", "bytes as JSON, not"),
    );
    expect(metadataFault({ a: "ä".repeat(2044) })).toBeUndefined();
    expect(metadataFault({ a: "ä".repeat(2045) })).toEqual(expect.any(String));
    expect(metadataFault({ a: "\n".repeat(2045) })).toEqual(expect.any(String));
    expect(metadataFault({ a: Array.from({ length: 2100 }, () => 0) })).toEqual(expect.any(String));
  });

  test("is at most 8 deep", () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? 1 : depth % 2 === 0 ? { a: nested(depth - 1) } : [nested(depth - 1)];
    expect(metadataFault(nested(8))).toBeUndefined();
    expect(metadataFault({ a: nested(8) })).toContain("nested deeper than 8");
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    expect(metadataFault(cyclic)).toContain("nested deeper than 8");
  });

  test("that passes arrives as it was checked", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }), { maxKeys: 40 }), (value) => {
        if (metadataFault(value) !== undefined) return;
        const json = JSON.stringify(value);
        expect(metadataFault(JSON.parse(json))).toBeUndefined();
        expect(JSON.stringify(checkMetadata(value))).toBe(json);
      }),
    );
  });

  test("of any kind is judged without a throw", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), (value) => {
        const fault = metadataFault(value);
        expect(fault === undefined || typeof fault === "string").toBe(true);
      }),
    );
  });
});

describe("names and ids", () => {
  test.each(["", "file.bin", "a/b c", "Übertragung", "文件", "😀", "'\"<>&\\", "x".repeat(maxNameLength)])(
    "%j is one",
    (name) => {
      expect(nameFault(name)).toBeUndefined();
      expect(checkName(name, "name")).toBe(name);
    },
  );

  test.each([
    ["NUL", "a\u0000"],
    ["a line feed", "a\nb"],
    ["a carriage return", "a\rb"],
    ["an ANSI escape", "\u001b[31m"],
    ["DEL", "\u007f"],
    ["a C1 control", "\u009b"],
    ["a line separator", "\u2028"],
    ["a paragraph separator", "\u2029"],
    ["an Arabic letter mark", "\u061c"],
    ["a left-to-right mark", "\u200e"],
    ["a right-to-left mark", "\u200f"],
    ["a right-to-left override", "a\u202eb"],
    ["a first strong isolate", "\u2068"],
    ["a byte order mark", "\ufeffa"],
    ["a lone high surrogate", "a\ud800"],
    ["a lone low surrogate", "\udc00a"],
    ["257 characters", "x".repeat(maxNameLength + 1)],
    ["a number", 5],
    ["undefined", undefined],
    ["a String object", Object("a")],
  ])("must not be or hold %s", (_, name) => {
    expect(nameFault(name)).toEqual(expect.any(String));
    expect(() => checkName(name, "name")).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("the fault says which argument it is, and does not repeat the text", () => {
    expect(() => checkName("evil\u0000text", "id")).toThrow("id must not hold control or bidirectional characters");
  });
});
