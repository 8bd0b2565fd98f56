// SPDX-License-Identifier: Apache-2.0
import { exitCodes } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";

/** Why a command did not do what it should: told in one line, without a stack trace. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exitCode: ExitCode;
  /** One of few words, for `--json`. */
  readonly code: string;

  constructor(message: string, exitCode: ExitCode = exitCodes.failed, code = "failed", cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** The command line, or something that it names, cannot be used. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
  /** The command whose help is of use. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message, exitCodes.usage, "usage");
    this.command = command;
  }
}
