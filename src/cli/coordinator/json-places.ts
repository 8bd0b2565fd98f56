// SPDX-License-Identifier: Apache-2.0
/**
 * JSON with the places of its values, so that what is wrong with a file can be said by line. `JSON.parse` keeps none, and
 * on Node 20 does not always say where the text itself is wrong.
 */
export interface PlacedJson {
  readonly value: unknown;
  /** The line of a value, or of what is nearest to it; lines count from 1. */
  lineOf(path: readonly (string | number)[]): number;
}

/** The text is no JSON. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** @throws JsonFault also for a key that stands twice in an object */
export function parsePlacedJson(text: string): PlacedJson {
  const parser = new Parser(text);
  const value = parser.document();
  return {
    value,
    lineOf: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const offset = parser.places.get(keyOf(path.slice(0, length)));
        if (offset !== undefined) return parser.lineAt(offset);
      }
      return 1;
    },
  };
}

const maxDepth = 32;
const space = /[ \t\r\n]*/y;
const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- what a string may not hold
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

class Parser {
  readonly places = new Map<string, number>();
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value([]);
    if (this.#peek() !== "") throw this.#fault("there is more behind the end");
    return value;
  }

  lineAt(offset: number): number {
    return this.#text.slice(0, offset).split("\n").length;
  }

  #value(path: readonly (string | number)[]): unknown {
    if (path.length > maxDepth) throw this.#fault("it is nested too deep");
    const next = this.#peek();
    this.places.set(keyOf(path), this.#offset);
    if (next === "{") return this.#object(path);
    if (next === "[") return this.#array(path);
    const found = this.#match(next === '"' ? string : literal);
    if (found === "") throw this.#fault(next === "" ? "it ends too early" : "a value is expected here");
    return JSON.parse(found) as unknown;
  }

  #object(path: readonly (string | number)[]): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#offset += 1;
    while (this.#peek() !== "}") {
      if (entries.size > 0) this.#expect(",");
      this.#peek();
      const written = this.#match(string);
      if (written === "") throw this.#fault('a key in "quotes" is expected here');
      const key = JSON.parse(written) as string;
      if (entries.has(key)) throw this.#fault(`the key ${written} stands here twice`);
      this.#expect(":");
      entries.set(key, this.#value([...path, key]));
    }
    this.#offset += 1;
    return Object.fromEntries(entries);
  }

  #array(path: readonly (string | number)[]): unknown[] {
    const items: unknown[] = [];
    this.#offset += 1;
    while (this.#peek() !== "]") {
      if (items.length > 0) this.#expect(",");
      items.push(this.#value([...path, items.length]));
    }
    this.#offset += 1;
    return items;
  }

  #peek(): string {
    this.#match(space);
    return this.#text.charAt(this.#offset);
  }

  #expect(character: string): void {
    if (this.#peek() !== character) throw this.#fault(`"${character}" is expected here`);
    this.#offset += 1;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#offset += found.length;
    return found;
  }

  #fault(message: string): JsonFault {
    return new JsonFault(message, this.lineAt(this.#offset));
  }
}

function keyOf(path: readonly (string | number)[]): string {
  return JSON.stringify(path);
}
