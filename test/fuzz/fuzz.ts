import * as fc from "fast-check";
import { test } from "vitest";

/** Set by `npm run fuzz` (scripts/fuzz.js). Without it a run is short, and begins anywhere. */
const given = process.env["CONEC_FUZZ"];
const { ms, seed }: { ms: number; seed: number } =
  given === undefined
    ? { ms: 400, seed: Math.floor(Math.random() * 2 ** 31) }
    : (JSON.parse(given) as { ms: number; seed: number });

/**
 * A test that tries a property with anything until its time is over. When it fails, it says what with, made as small as
 * possible, and the seed with which it fails again.
 *
 * @param level of the list of bad inputs: `npm run fuzz -- --level` chooses by it
 */
export function fuzz<T>(level: string, name: string, property: fc.IRawProperty<T>): void {
  test(`${level}: ${name}`, { timeout: 2 * ms + 60_000 }, async () => {
    const lastRun = followed(property);
    const details = await fc.check<T>(property, { seed, numRuns: 2 ** 31 - 1, interruptAfterTimeLimit: ms });
    await lastRun();
    if (details.failed && !onlyInterrupted(details)) {
      throw new Error(await fc.asyncDefaultReportMessage(details), { cause: details.errorInstance });
    }
    if (given !== undefined) console.log(`${level}: ${name}: ${details.numRuns} runs, seed ${seed}`);
  });
}

/** Gives the run that is under way, which nobody waits for when the time is over. */
function followed<T>(property: fc.IRawProperty<T>): () => Promise<unknown> {
  let last: unknown;
  const run = property.run.bind(property);
  property.run = (value) => (last = run(value));
  return async () => await last;
}

/** The time was over before the first run was. */
function onlyInterrupted<T>({ interrupted, counterexample }: fc.RunDetails<T>): boolean {
  return interrupted && counterexample === null;
}
