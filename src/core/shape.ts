// SPDX-License-Identifier: Apache-2.0
/** The shapes of what a peer sends: each takes a value apart and gives it back checked. */
import { ConecError } from "./errors.ts";

/** Gives back the value, or throws a ConecError `protocol-error` that says `where` it is wrong. */
export type Shape<T> = (value: unknown, where: string) => T;

/** A value that passes a test. */
export function value<T>(passes: (value: unknown) => boolean, fault: string): Shape<T> {
  return (given, where) => {
    if (passes(given)) return given as T;
    throw new ConecError("protocol-error", `Bad control message: ${where}: ${fault}`.slice(0, maxMessageLength), {
      source: "channel",
      remote: true,
    });
  };
}

/** One of these words; any other is read as `general`. */
export function word<T extends string>(words: readonly T[], general: T): Shape<T> {
  return (given) => words.find((each) => each === given) ?? general;
}

/** A field that may be missing. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (given, where) => (given === undefined ? undefined : shape(given, where));
}

/** An object with these fields. What else it has is left out. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const entries = Object.entries<Shape<unknown>>(fields);
  return (given, where) => {
    const from = isObject(given, where);
    const checked: Record<string, unknown> = {};
    for (const [key, shape] of entries) {
      const field = shape(Object.hasOwn(from, key) ? from[key] : undefined, `${where}.${key}`);
      if (field !== undefined) checked[key] = field;
    }
    return checked as T;
  };
}

const isObject = value<Record<string, unknown>>(
  (given) => typeof given === "object" && given !== null && !Array.isArray(given),
  "not an object",
);
const maxMessageLength = 200;
