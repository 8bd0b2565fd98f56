// SPDX-License-Identifier: Apache-2.0
import type { Command, Options } from "./command.ts";
import { shortNames } from "./arguments.ts";
import { exitCodeMeanings } from "./exit-codes.ts";

/** What `conec --help` prints. */
export function programHelp(commands: readonly Command[], globalOptions: Options): string {
  return page([
    "conec: channels between programs that cannot reach each other, through one Coordinator",
    ["Usage: conec COMMAND [options]", "       conec COMMAND --help"],
    section(
      "Commands",
      rows(
        commands.map(({ name, summary }) => [name, summary]),
        14,
      ),
    ),
    section("For every command", optionRows(globalOptions)),
    section("To begin with", [
      "On a machine that everybody can reach, start a Coordinator. It prints the URL and",
      "the hash of its certificate, and command lines that hold both:",
      "",
      "  conec coordinator",
      "",
      "On the others, with that URL and hash in CONEC_URL and CONEC_HASH:",
      "",
      "  conec receive --as bob",
      "  conec send photo.jpg --to bob",
      "",
      "If something does not work, this says what and what to do:",
      "",
      "  conec doctor",
    ]),
    section("Exit codes", exitCodeRows()),
  ]);
}

/** What `conec COMMAND --help` prints. */
export function commandHelp(command: Command, connectionOptions: Options, globalOptions: Options): string {
  return page([
    `conec ${command.name}: ${command.summary}`,
    [`Usage: conec ${command.name} ${command.usage}`.trimEnd()],
    ...command.description.map((text) => wrap(text, lineWidth)),
    Object.keys(command.options).length > 0 && section("Options", optionRows(command.options)),
    command.connects && section("How to reach the Coordinator", optionRows(connectionOptions)),
    section("For every command", optionRows(globalOptions)),
    section(
      "Examples",
      command.examples.flatMap(({ what, line }, index) => [...(index > 0 ? [""] : []), `${what}:`, `  ${line}`]),
    ),
    section("Exit codes", exitCodeRows()),
  ]);
}

const lineWidth = 88;
const optionWidth = 24;

type Part = string | readonly string[] | false;

function page(parts: readonly Part[]): string {
  const texts = parts
    .filter((part) => part !== false)
    .map((part) => (typeof part === "string" ? part : part.join("\n")));
  return `${texts.join("\n\n")}\n`;
}

function section(title: string, lines: readonly string[]): string[] {
  return [`${title}:`, ...lines.map((line) => (line === "" ? "" : `  ${line}`))];
}

function optionRows(options: Options): string[] {
  return rows(
    Object.entries(options).map(([name, { value, env, multiple, help }]) => {
      const short = Object.entries(shortNames).find(([, long]) => long === name)?.[0];
      const left = `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
      const notes = [multiple && "may be given several times", env && `or ${env} in the environment`].filter(Boolean);
      return [left, notes.length === 0 ? help : `${help} (${notes.join("; ")})`];
    }),
    optionWidth,
  );
}

function exitCodeRows(): string[] {
  return rows(
    exitCodeMeanings.map(([code, meaning]) => [String(code), meaning]),
    5,
  );
}

/** Two columns; the left one as wide as said, a longer entry has a line of its own. */
function rows(entries: readonly (readonly [string, string])[] | readonly string[][], width: number): string[] {
  return entries.flatMap(([left = "", right = ""]) => {
    const lines = wrap(right, lineWidth - width - 2);
    const first = left.length < width ? `${left.padEnd(width)}${lines[0] ?? ""}` : left;
    const rest = (left.length < width ? lines.slice(1) : lines).map((line) => " ".repeat(width) + line);
    return [first.trimEnd(), ...rest];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
