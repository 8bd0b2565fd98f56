// SPDX-License-Identifier: Apache-2.0
import { exitCodes } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";

/** The reason of the signal that ends a command early. Not a failure: nothing is said about it. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Ctrl-C, SIGTERM and an output that nobody reads any more, as one AbortSignal. The first ends what is being done in
 * order; a second Ctrl-C or SIGTERM ends the process at once.
 */
export class Interruption {
  /** Set by a command that ends by itself, in its own way, on SIGTERM. */
  onTerminate: (() => void) | undefined;
  readonly #controller = new AbortController();
  #asked = false;

  constructor() {
    process.on("SIGINT", this.#onInterrupt);
    process.on("SIGTERM", this.#onTerminate);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whoever read the output is gone. */
  outputClosed(): void {
    this.#abort(new Interrupted("Nobody reads the output", exitCodes.outputClosed));
  }

  readonly #onInterrupt = (): void => {
    // Also when SIGTERM came first: a drain is ended by Ctrl-C.
    if (this.signal.aborted) process.exit(exitCodes.interrupted);
    this.#abort(new Interrupted("Interrupted", exitCodes.interrupted));
  };

  readonly #onTerminate = (): void => {
    if (this.#asked) process.exit(exitCodes.terminated);
    this.#asked = true;
    if (this.onTerminate === undefined) this.#abort(new Interrupted("Terminated", exitCodes.terminated));
    else this.onTerminate();
  };

  #abort(reason: Interrupted): void {
    this.#controller.abort(reason);
  }
}
