// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "./errors.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** Most bytes that metadata may take as JSON. */
export const maxMetadataBytes = 4096;
/** Most keys at the top level of metadata. */
const maxMetadataKeys = 32;
/** Deepest nesting of objects and arrays in metadata. */
const maxMetadataDepth = 8;
/** Longest id of a party and longest name of a stream, in UTF-16 code units. */
export const maxNameLength = 256;

/** Why this is no metadata, or undefined if it is. */
export function metadataFault(value: unknown): string | undefined {
  if (!isPlainObject(value)) return "Metadata must be an object";
  if (Object.keys(value).length > maxMetadataKeys) return `Metadata must have at most ${maxMetadataKeys} keys`;
  const fault = jsonFault(value, 0);
  if (fault !== undefined) return `Metadata ${fault}`;
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  return bytes > maxMetadataBytes
    ? `Metadata must be at most ${maxMetadataBytes} bytes as JSON, not ${bytes}`
    : undefined;
}

/** Why this is no id or name, or undefined if it is. */
export function nameFault(value: unknown): string | undefined {
  if (typeof value !== "string") return "must be a string";
  if (value.length > maxNameLength) return `must be at most ${maxNameLength} characters`;
  return forbiddenCharacters.test(value) ? "must not hold control or bidirectional characters" : undefined;
}

/**
 * A copy of the metadata that a program gave, as it will arrive at the other end.
 *
 * @throws ConecError `invalid-argument`
 */
export function checkMetadata(value: unknown): Metadata {
  if (value === undefined) return {};
  const fault = metadataFault(value);
  if (fault !== undefined) throw new ConecError("invalid-argument", fault, { source: "channel" });
  return JSON.parse(JSON.stringify(value)) as Metadata;
}

/**
 * A name or id that a program gave.
 *
 * @throws ConecError `invalid-argument`
 */
export function checkName(value: unknown, what: string): string {
  const fault = nameFault(value);
  if (fault !== undefined) throw new ConecError("invalid-argument", `${what} ${fault}`, { source: "channel" });
  return value as string;
}

/**
 * An id of a party that a program gave.
 *
 * @throws ConecError `invalid-argument`
 */
export function checkId(value: unknown): string {
  if (checkName(value, "An id") !== "") return value as string;
  throw new ConecError("invalid-argument", "An id must not be empty", { source: "channel" });
}

/** C0 and C1 controls, line and paragraph separators, bidirectional controls, lone surrogates. */
const forbiddenCharacters =
  // oxlint-disable-next-line no-control-regex -- these are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/u;

const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"]);

function jsonFault(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === "boolean" || typeof value === "string") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "must not hold NaN or Infinity";
  if (depth >= maxMetadataDepth) return `must not be nested deeper than ${maxMetadataDepth}`;
  if (Array.isArray(value)) return firstFault(value, depth);
  if (!isPlainObject(value)) return `must be JSON, which a ${typeof value} is not`;
  const forbidden = Object.keys(value).find((key) => forbiddenKeys.has(key));
  return forbidden === undefined ? firstFault(Object.values(value), depth) : `must not have a key "${forbidden}"`;
}

function firstFault(values: unknown[], depth: number): string | undefined {
  for (const value of values) {
    const fault = jsonFault(value, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function isPlainObject(value: unknown): value is Record<string, JsonValue> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
