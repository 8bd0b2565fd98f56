// SPDX-License-Identifier: Apache-2.0
import { explain } from "../connect/explain.ts";
import { connectionOptions } from "../connect/connection-options.ts";
import { Output } from "../output/output.ts";
import { commands } from "./commands.ts";
import { distance, parseArguments } from "./arguments.ts";
import type { Command, Options } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import { commandHelp, programHelp } from "./help.ts";
import { Interrupted, Interruption } from "./interruption.ts";
import { version } from "./version.ts";

const globalOptions = {
  json: { help: "one JSON object a line on stdout, nothing else there" },
  help: { help: "this text" },
  version: { help: "the version of conec" },
} as const satisfies Options;

/** Runs `conec` with these arguments; resolves to its exit code. Whatever goes wrong is said in one line. */
export async function run(args: readonly string[]): Promise<ExitCode> {
  const interruption = new Interruption();
  const output = new Output({
    stdout: process.stdout,
    stderr: process.stderr,
    json: beforeDashes(args).includes("--json"),
    env: process.env,
    onClosed: () => interruption.outputClosed(),
  });
  const { signal } = interruption;
  try {
    const done = await dispatch(args, output, interruption);
    signal.throwIfAborted();
    return done;
  } catch (thrown) {
    output.setStatus("");
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    if (reason instanceof Interrupted) return reason.exitCode;
    return fail(thrown, output);
  }
}

async function dispatch(args: readonly string[], output: Output, interruption: Interruption): Promise<ExitCode> {
  const [first, ...rest] = args[0] === "--json" ? [...args.slice(1), "--json"] : args;
  if (first === undefined) throw new UsageError("What is to be done? Give a command");
  if (first === "help")
    return help(
      rest.find((word) => !word.startsWith("-")),
      output,
    );
  if (first === "--help" || first === "-h") return help(undefined, output);
  if (first === "--version" || first === "-V") {
    output.text(`${version()}\n`);
    return exitCodes.ok;
  }
  const command = commandNamed(first);
  const options = { ...command.options, ...(command.connects && connectionOptions), ...globalOptions };
  // Help is wanted most by those whose other arguments are not right yet.
  if (beforeDashes(rest).some((word) => word === "--help" || word === "-h")) return help(command.name, output);
  const { values, operands } = parseArguments(command.name, options, rest, process.env);
  if (values["version"] === true) output.text(`${version()}\n`);
  else await command.run(values, operands, { output, interruption, signal: interruption.signal });
  return exitCodes.ok;
}

function help(name: string | undefined, output: Output): ExitCode {
  const text =
    name === undefined
      ? programHelp(commands, globalOptions)
      : commandHelp(commandNamed(name), connectionOptions, globalOptions);
  output.text(text);
  return exitCodes.ok;
}

/** @throws UsageError */
function commandNamed(name: string): Command {
  const command = commands.find((each) => each.name === name);
  if (command !== undefined) return command;
  const close = commands.find((each) => distance(each.name, name) <= 2);
  const hint = close === undefined ? "" : `; did you mean ${close.name}?`;
  throw new UsageError(`There is no command ${JSON.stringify(name)}${hint}`);
}

function fail(thrown: unknown, output: Output): ExitCode {
  const failure = explain(thrown);
  const { message, exitCode, code } = failure;
  if (failure instanceof UsageError) {
    const command = failure.command === undefined ? "" : ` ${failure.command}`;
    output.error(code, `${message}${message.endsWith("?") ? "" : "."} See conec${command} --help`);
  } else output.error(code, message);
  if (process.env["CONEC_DEBUG"]) process.stderr.write(`${String((thrown as Error).stack)}\n`);
  return exitCode;
}

/** What comes before `--`: behind it everything is an operand. */
function beforeDashes(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end === -1 ? args : args.slice(0, end);
}
