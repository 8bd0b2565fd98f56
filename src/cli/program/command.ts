// SPDX-License-Identifier: Apache-2.0
import type { ConnectionValues } from "../connect/connection-options.ts";
import type { Output } from "../output/output.ts";
import type { Interruption } from "./interruption.ts";

/** One option of a command. With `value` it takes one, else it is a flag. */
export interface Option {
  /** What stands for the value in the help text, such as `NAME`. */
  readonly value?: string;
  /** It may be given several times. */
  readonly multiple?: true;
  /** The environment variable that it is taken from when it is not given; several values are parted by commas. */
  readonly env?: string;
  /** For people; the default is said here. */
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

/** What was given: text, a list of texts where an option may come several times, whether for a flag. */
export type Values<O extends Options> = {
  readonly [name in keyof O]: O[name] extends { multiple: true }
    ? readonly string[]
    : O[name] extends { value: string }
      ? string | undefined
      : boolean;
};

/** What every command is run with. */
export interface Context {
  readonly output: Output;
  readonly interruption: Interruption;
  /** Aborted when the command is to end early. */
  readonly signal: AbortSignal;
}

interface Example {
  /** What it is for, as the line above it. */
  readonly what: string;
  /** As typed into a shell. */
  readonly line: string;
}

export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the name, such as `FILE... --to NAME`. */
  readonly usage: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly options: Options;
  /** Whether it takes the options of `connect/connection-options.ts`, too. */
  readonly connects: boolean;
  readonly examples: readonly Example[];
  /** Loads the code and runs it. Ends well, or throws. */
  run(values: Values<Options>, operands: readonly string[], context: Context): Promise<void>;
}

interface CommandDefinition<O extends Options> extends Omit<Command, "run"> {
  readonly options: O;
  run(values: Values<O> & ConnectionValues, operands: readonly string[], context: Context): Promise<void>;
}

/** A command whose code gets its values by its own table of options. */
export function defineCommand<const O extends Options>(definition: CommandDefinition<O>): Command {
  return {
    ...definition,
    run: (values, operands, context) => definition.run(values as Values<O> & ConnectionValues, operands, context),
  };
}
