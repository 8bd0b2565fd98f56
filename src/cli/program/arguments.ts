// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from "node:util";
import type { Option, Options, Values } from "./command.ts";
import { UsageError } from "./failure.ts";

export interface Arguments {
  readonly values: Values<Options>;
  readonly operands: readonly string[];
}

/**
 * Reads a command's arguments by its table of options; what is not given is taken from the environment, where the table
 * names a variable.
 *
 * @throws UsageError which never repeats a value: it may be a secret
 */
export function parseArguments(
  command: string,
  options: Options,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Arguments {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), ...shortOf(name) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(options, name) ? options[name]! : undefined;
    if (option === undefined) throw new UsageError(unknownOption(rawName, Object.keys(options)), command);
    if (option.value === undefined && value !== undefined) throw new UsageError(`${rawName} takes no value`, command);
    if (option.value !== undefined && (value === undefined || (!inlineValue && looksLikeOption(value)))) {
      throw new UsageError(`${rawName} needs a value: ${rawName}=${option.value}`, command);
    }
    const values = given.get(name) ?? [];
    if (values.length > 0 && !option.multiple && option.value !== undefined)
      throw new UsageError(`${rawName} is given more than once`, command);
    given.set(name, [...values, value ?? ""]);
  }
  const values = Object.entries(options).map(([name, option]) => [name, valueOf(option, given.get(name), env)]);
  return { values: Object.fromEntries(values) as Values<Options>, operands };
}

function valueOf(
  option: Option,
  given: string[] | undefined,
  env: NodeJS.ProcessEnv,
): string | string[] | boolean | undefined {
  if (option.value === undefined) return given !== undefined;
  const variable = (option.env && env[option.env]) || undefined;
  if (option.multiple) return given ?? variable?.split(",").map((each) => each.trim()) ?? [];
  return given?.[0] ?? variable;
}

function looksLikeOption(value: string): boolean {
  return value.length > 1 && value.startsWith("-");
}

function shortOf(name: string): { short?: string } {
  const letter = Object.entries(shortNames).find(([, long]) => long === name)?.[0];
  return letter === undefined ? {} : { short: letter };
}

function unknownOption(name: string, known: readonly string[]): string {
  const bare = name.replace(/^-+/, "");
  const close = known.find((each) => distance(each, bare) <= 2 || (bare.length > 2 && each.startsWith(bare)));
  return `There is no option ${name}${close === undefined ? "" : `; did you mean --${close}?`}`;
}

/** How many letters must be added, left out or replaced to make one word of the other (Levenshtein). */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The few options that have a letter. */
export const shortNames: Readonly<Record<string, string>> = { h: "help", V: "version" };
