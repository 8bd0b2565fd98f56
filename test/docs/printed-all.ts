/** Resolves when each of these was printed, as a whole line. Fails by the limit of the test, or when the program has ended. */
export async function printedAll(
  program: { printed(pattern: RegExp): Promise<unknown> },
  lines: string[],
): Promise<void> {
  for (const line of lines) {
    await program.printed(new RegExp(`^${line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`, "m"));
  }
}
