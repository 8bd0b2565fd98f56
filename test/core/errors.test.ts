import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ConecError,
  describeReason,
  maxReasonBytes,
  quoted,
  reasonText,
  streamErrorCodeOf,
  toConecError,
} from "../../src/core/errors.ts";

const utf8 = new TextEncoder();

describe("reasonText", () => {
  test.each([
    ["a string", "why", "why"],
    ["an Error", new Error("why"), "why"],
    ["a ConecError", new ConecError("refused", "why"), "why"],
    ["a DOMException", new DOMException("why", "AbortError"), "why"],
    ["what has a message", { message: "why" }, "why"],
    ["what has another kind of message", { message: 5 }, ""],
    ["undefined", undefined, ""],
    ["null", null, ""],
    ["a number", 5, ""],
    ["a function", () => "why", ""],
    ["a symbol", Symbol("why"), ""],
    ["an empty string", "", ""],
    ["a string that begins with a byte order mark", "\ufeffwhy", "\ufeffwhy"],
  ])("of %s", (_, reason, text) => expect(reasonText(reason)).toBe(text));

  test.each([
    ["a", maxReasonBytes],
    ["ä", maxReasonBytes / 2],
    ["文", Math.floor(maxReasonBytes / 3)],
    ["😀", maxReasonBytes / 4],
  ])("cuts a long text of %j between characters", (character, fit) => {
    expect(reasonText(character.repeat(fit))).toBe(character.repeat(fit));
    expect(reasonText(character.repeat(fit + 1))).toBe(character.repeat(fit));
    expect(reasonText(character.repeat(100_000))).toBe(character.repeat(fit));
    for (let shift = 1; shift < 4; shift++) {
      const cut = reasonText("x".repeat(shift) + character.repeat(fit));
      expect(cut).toMatch(new RegExp(`^x{${shift}}(${character})+$`, "u"));
      expect(utf8.encode(cut).length).toBeGreaterThan(maxReasonBytes - 4);
    }
  });

  test("ends with a last character that just fits", () => {
    const text = `${"x".repeat(maxReasonBytes - 4)}\u0400\u0780`;
    expect(reasonText(`${text}yyyyyyyy`)).toBe(text);
  });

  test("is the longest start of the text that fits, for any text", () => {
    const long = fc.string({ unit: "binary", minLength: 200, maxLength: 700 }).map((text) => text.repeat(2));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), long), (text) => {
        const cut = reasonText(text);
        const bytes = utf8.encode(cut).length;
        expect(bytes).toBeLessThanOrEqual(maxReasonBytes);
        expect(text.startsWith(cut)).toBe(true);
        const [next] = text.slice(cut.length);
        if (next !== undefined) expect(bytes + utf8.encode(next).length).toBeGreaterThan(maxReasonBytes);
      }),
    );
  });

  test("holds no lone surrogates, which UTF-8 cannot say", () => {
    expect(reasonText("a\ud800b")).toBe("a\ufffdb");
  });
});

test.each([
  [0, 0],
  [42, 42],
  [0xffff_ffff, 0xffff_ffff],
  [2 ** 32, undefined],
  [-1, undefined],
  [1.5, undefined],
  [Number.NaN, undefined],
  [Infinity, undefined],
  ["5", undefined],
  [5n, undefined],
  [null, undefined],
  [undefined, undefined],
])("a streamErrorCode of %s is read as %s", (given, code) => {
  expect(streamErrorCodeOf({ streamErrorCode: given })).toBe(code);
  expect(streamErrorCodeOf(Object.assign(new Error("why"), { streamErrorCode: given }))).toBe(code);
});

test("what carries no streamErrorCode has none", () => {
  for (const reason of [undefined, null, "text", 5, {}, new Error("why")])
    expect(streamErrorCodeOf(reason)).toBeUndefined();
});

describe("toConecError", () => {
  test("leaves a ConecError as it is", () => {
    const error = new ConecError("refused", "no");
    expect(toConecError(error, "internal")).toBe(error);
  });

  test("keeps what was thrown as the cause", () => {
    const cause = new Error("why");
    expect(toConecError(cause, "connection-lost", { source: "stream" })).toMatchObject({
      code: "connection-lost",
      message: "why",
      cause,
      source: "stream",
      remote: false,
    });
    expect(toConecError(undefined, "internal")).toMatchObject({ code: "internal", message: "internal" });
  });
});

describe("quoted", () => {
  test.each([
    ["alice", '"alice"'],
    ["", '""'],
    ["naïve 中文 😀 é", '"naïve 中文 😀 é"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["red \u001b[31m text\r\n", '"red \\u001b[31m text\\r\\n"'],
    ["\u202egnp.exe", '"\\u{202e}gnp.exe"'],
    ["a\u2028b\u00a0c\u200b", '"a\\u{2028}b\\u{a0}c\\u{200b}"'],
    ["\ud800", '"\\ud800"'],
    ["x".repeat(128), `"${"x".repeat(128)}"`],
    ["x".repeat(129), `"${"x".repeat(128)}…"`],
    ["ä".repeat(65), `"${"ä".repeat(64)}…"`],
  ])("%j", (text, shown) => {
    expect(quoted(text)).toBe(shown);
  });

  test("is one short line of printable text, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        expect(quoted(text)).toMatch(/^"[\p{L}\p{M}\p{N}\p{P}\p{S} ]*"$/u);
        expect(utf8.encode(quoted(text)).length).toBeLessThanOrEqual(128 + 5);
      }),
    );
  });
});

test("a ConecError has a name, defaults, and no cause unless one was given", () => {
  const error = new ConecError("timeout", "too late");
  expect(error).toMatchObject({ name: "ConecError", source: "connection", remote: false, streamErrorCode: undefined });
  expect("cause" in error).toBe(false);
  expect(String(error)).toBe("ConecError: too late");
});

test.each([
  ["a text", "why", { code: "aborted", reason: "why" }],
  ["nothing", undefined, { code: "aborted", reason: "" }],
  [
    "an error with a streamErrorCode",
    Object.assign(new Error("why"), { streamErrorCode: 7 }),
    { code: "aborted", reason: "why", streamErrorCode: 7 },
  ],
  [
    "an error of this end",
    new ConecError("invalid-argument", "why", { source: "stream" }),
    { code: "invalid-argument", reason: "why" },
  ],
  [
    "an error that came from another end",
    new ConecError("cancelled", "why", { remote: true, streamErrorCode: 3 }),
    { code: "aborted", reason: "why", streamErrorCode: 3 },
  ],
])("%s is described for the other end", (_, reason, described) => {
  expect(describeReason(reason, "aborted")).toEqual(described);
});
