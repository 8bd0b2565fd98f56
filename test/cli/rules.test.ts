/** Who may join and who may reach whom, and what is said about a file that is not right. */
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { JsonFault, parsePlacedJson } from "../../src/cli/coordinator/json-places.ts";
import { mayReach, openRules, parseRules } from "../../src/cli/coordinator/rules.ts";
import type { Shown } from "../../src/cli/coordinator/rules.ts";

const newId = (beginning: string): string => `${beginning}NEW`;

function shown(requestedId?: string, more: Partial<Shown> = {}): Shown {
  return { requestedId, token: undefined, publicKey: "ed25519:KEY", origin: undefined, ...more };
}

const rules = parseRules(
  JSON.stringify({
    clients: [
      { id: "alice", publicKey: "ed25519:ALICE", reach: ["bob", "lap-*"], status: "all" },
      { id: "bob", token: "secret" },
      { id: "carol", tokenSha256: createHash("sha256").update("hashed").digest("hex") },
      { id: "guest-*", reach: ["*"] },
    ],
    origins: ["https://app.example"],
  }),
);

const alice = { publicKey: "ed25519:ALICE" };

test.each<[string, Shown, string | undefined]>([
  ["by key", shown("alice", alice), "alice"],
  ["with another key", shown("alice"), undefined],
  ["by token", shown("bob", { token: "secret" }), "bob"],
  ["with another token", shown("bob", { token: "secreT" }), undefined],
  ["without a token", shown("bob"), undefined],
  ["by a token whose hash is there", shown("carol", { token: "hashed" }), "carol"],
  ["by the beginning of an id", shown("guest-7"), "guest-7"],
  ["under an id that is not there", shown("dave"), undefined],
  ["without asking for an id, by key", shown(undefined, alice), "alice~NEW"],
  ["without asking for an id, by nothing", shown(), "guest-NEW"],
  ["from a page that is allowed", shown("guest-7", { origin: "https://app.example" }), "guest-7"],
  ["from another page", shown("guest-7", { origin: "https://evil.example" }), undefined],
])("joining %s", (_how, asked, id) => {
  expect(rules.admit(asked, newId)?.id).toBe(id);
});

test("whom they reach: nobody but those that are named", () => {
  const of = (asked: Shown, to: string): boolean => mayReach(rules.admit(asked, newId)!.entry, to);
  expect(["bob", "lap-1", "carol"].map((to) => of(shown("alice", alice), to))).toEqual([true, true, false]);
  expect(of(shown("bob", { token: "secret" }), "alice")).toBe(false);
  expect(of(shown("guest-1"), "anybody")).toBe(true);
});

test("without a file anybody joins", () => {
  expect(openRules.admit(shown("x"), newId)?.id).toBe("x");
  expect(openRules.admit(shown(), newId)?.id).toBe("guest-NEW");
});

test.each<[string, number, string]>([
  ["", 1, "it ends too early"],
  ['{\n "clients": [\n  { "id": "a" },\n ]\n}', 4, "a value is expected here"],
  ['{\n "clients": [\n  { "id": "a" }\n  { "id": "b" }\n ]\n}', 4, '"," is expected here'],
  ['{ "clients": [] }\nx', 2, "there is more behind the end"],
  ['{\n "clients": [],\n "clients": []\n}', 3, "stands here twice"],
  ["[]", 1, "clients is missing"],
  ["{}", 1, "clients is missing"],
  ['{\n "clients": 3 }', 2, "clients must be a list"],
  ['{ "clients": [\n {} ] }', 2, "clients[0].id is missing"],
  ['{ "clients": [\n { "id": "a",\n "tokn": "x" } ] }', 3, "clients[0].tokn is not known here"],
  ['{ "clients": [\n { "id": "a" },\n { "id": "b",\n "token": 5 } ] }', 4, "clients[1].token must be text"],
  ['{ "clients": [\n { "id": "a*b" } ] }', 2, "clients[0].id must be an id"],
  ['{ "clients": [\n { "id": "a", "publicKey": "x" } ] }', 2, "clients[0].publicKey must be a public key"],
  ['{ "clients": [\n { "id": "a", "reach": "b" } ] }', 2, "clients[0].reach must be a list"],
  ['{ "clients": [],\n "origins": ["app.example"] }', 2, "origins[0] must be an origin"],
])("of %j it says in which line what is wrong", (text, line, message) => {
  expect(() => parseRules(text)).toThrow(
    expect.objectContaining({ name: "RulesFault", line, message: expect.stringContaining(message) }),
  );
});

test("a secret is never repeated", () => {
  const text = '{ "clients": [ { "id": "a", "tokenSha256": "secret-secret" } ] }';
  expect(() => parseRules(text)).toThrow(expect.not.objectContaining({ message: expect.stringContaining("secret-") }));
});

describe("JSON with places", () => {
  test("is read as JSON.parse does", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (json, indent) => {
        const value: unknown = JSON.parse(json);
        expect(parsePlacedJson(JSON.stringify(value, undefined, indent)).value).toEqual(value);
      }),
    );
  });

  test("fails where JSON.parse does, and only for a key that is there twice besides", () => {
    const almost = fc.string({ unit: fc.constantFrom(...Array.from('{}[],:"\\ \n01-.e+truefalsn')) });
    fc.assert(
      fc.property(almost, (text) => {
        let ours: unknown;
        try {
          ours = parsePlacedJson(text).value;
        } catch (error) {
          expect(error).toBeInstanceOf(JsonFault);
          if (!/twice/.test((error as Error).message)) expect(() => JSON.parse(text) as unknown).toThrow();
          return;
        }
        expect(ours).toEqual(JSON.parse(text));
      }),
      { numRuns: 3000 },
    );
  });

  test("no depth is too much for it", () => {
    expect(() => parsePlacedJson("[".repeat(100_000))).toThrow(JsonFault);
  });
});
