// SPDX-License-Identifier: Apache-2.0
import { readText } from "../connect/connection-settings.ts";
import { exitCodes } from "../program/exit-codes.ts";
import { Failure } from "../program/failure.ts";
import { openRules, parseRules, RulesFault } from "./rules.ts";
import type { Rules } from "./rules.ts";
import { watchFiles } from "./watched-file.ts";

/** The rules in force: those of a file, read anew when it changes. With a file that is not right the old ones stay. */
export class RulesFile {
  rules: Rules = openRules;
  /** The rules in force have changed. */
  onChange: () => void = () => {};
  /** The file has changed and is not right. */
  onFault: (message: string) => void = () => {};
  readonly #path: string | undefined;
  #watch: { stop(): void } | undefined;

  /** Without a path: rules that let everybody in. @throws Failure when the file is not right from the start */
  static async open(path: string | undefined): Promise<RulesFile> {
    const file = new RulesFile(path);
    if (path === undefined) return file;
    file.rules = await read(path);
    file.#watch = watchFiles([path], () => void file.reload());
    return file;
  }

  private constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Reads the file again, changed or not. */
  async reload(): Promise<void> {
    if (this.#path === undefined) return;
    try {
      this.rules = await read(this.#path);
    } catch (error) {
      return this.onFault(`${(error as Error).message}; the rules from before stay in force`);
    }
    this.onChange();
  }

  close(): void {
    this.#watch?.stop();
  }
}

async function read(path: string): Promise<Rules> {
  const text = await readText("--rules", path);
  try {
    return parseRules(text);
  } catch (error) {
    if (!(error instanceof RulesFault)) throw error;
    throw new Failure(`${path}:${error.line}: ${error.message}`, exitCodes.usage, "usage", error);
  }
}
