// SPDX-License-Identifier: Apache-2.0
import { createInterface } from "node:readline/promises";

/** Whether somebody can be asked: both the terminal that asks and the one that answers are there. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/**
 * Asks on the terminal until one of the letters is answered. Undefined when the input is at its end.
 *
 * @throws the signal's reason
 */
export async function ask<Letter extends string>(
  question: string,
  letters: readonly Letter[],
  signal: AbortSignal,
): Promise<Letter | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<undefined>((resolve) => terminal.once("close", () => resolve(undefined)));
  // Ctrl-C comes here as a key while a question waits.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    for (;;) {
      const answer = await Promise.race([terminal.question(question, { signal }), ended]);
      if (answer === undefined) return undefined;
      const letter = letters.find((each) => each === answer.trim().toLowerCase());
      if (letter !== undefined) return letter;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    terminal.close();
  }
}
