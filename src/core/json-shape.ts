// SPDX-License-Identifier: Apache-2.0
/**
 * What a JSON text says of itself that is lost when it is parsed: how many members its objects have, repeated ones included,
 * and how deep it is nested. The text must be valid JSON in UTF-8, or the answer means nothing.
 */
export function jsonShape(json: Uint8Array): { members: number; depth: number } {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < json.length; i += 1) {
    const byte = json[i];
    if (inString) {
      if (byte === backslash) i += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === colon) members += 1;
    else if (byte === openBrace || byte === openBracket) deepest = Math.max(deepest, (depth += 1));
    else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
  return { members, depth: deepest };
}

/** How many members the objects in a parsed JSON text have: fewer than in the text if a key was repeated. */
export function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  // No Object.values: every control message comes through here.
  for (const key in value) {
    members += 1 + countMembers((value as Record<string, unknown>)[key]);
  }
  return Array.isArray(value) ? members - value.length : members;
}

/** Whether a parsed JSON text can be written again: it may hold numbers that are too large for one. */
export function isFiniteJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isFiniteJson);
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const openBracket = 0x5b;
const closeBrace = 0x7d;
const closeBracket = 0x5d;
