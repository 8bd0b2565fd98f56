import { appendFileSync } from "node:fs";
import { describe, test } from "vitest";

import type { Kind, Result, Row, Stage } from "./row.ts";
import { Scene } from "./scene.ts";

/** Where `npm run faults` (scripts/faults.js) wants to be told what each run came to. Absent: the short form of `npm test`. */
const resultsPath = process.env["CONEC_FAULTS_RESULTS"];
const isBrief = resultsPath === undefined;
const runs = Number(process.env["CONEC_FAULTS_RUNS"] ?? 1);
const firstSeed = Number(process.env["CONEC_FAULTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** No run takes longer, not even a thousand Clients that dial again. */
const runLimitMs = 150_000;

/** A line of the file that CONEC_FAULTS_RESULTS names, as JSON. */
export interface RunReport extends Partial<Result> {
  fault: string;
  outcome: string;
  kind: string;
  seed: number;
  error?: string;
}

/** Declares a test for each row that applies to this kind of Client. */
export function faultTests(kind: Kind, rows: readonly Row[]): void {
  describe(`faults, ${kind.name}`, () => {
    for (const row of rows) {
      const kinds = isBrief ? (row.briefKinds ?? row.kinds) : row.kinds;
      if (!kinds.includes(kind.name)) continue;
      test(`${row.fault}: ${row.outcome}`, { timeout: runs * runLimitMs }, async (context) => {
        const missing = row.missing?.();
        if (missing !== undefined) context.skip(missing);
        const failures: Error[] = [];
        for (let run = 0; run < runs; run += 1) {
          const seed = firstSeed + run;
          const outcome = await runOnce(row, kind, seed);
          if (outcome instanceof Error) failures.push(outcome);
          const what = { fault: row.fault, outcome: row.outcome, kind: kind.name, seed };
          report(outcome instanceof Error ? { ...what, error: outcome.message } : { ...what, ...outcome });
        }
        if (failures.length > 0) throw failures[0]!;
      });
    }
  });
}

async function runOnce(row: Row, kind: Kind, seed: number): Promise<Result | Error> {
  const closing: (() => unknown)[] = [];
  const stage: Stage = {
    kind,
    seed,
    pick: (short, full) => (isBrief ? short : full),
    closeLater: (close) => closing.push(close),
    open: async (options) => {
      const scene = await Scene.open(kind.start, seed, options);
      closing.push(() => scene.close());
      return scene;
    },
  };
  try {
    return await row.run(stage);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    error.message += ` (CONEC_FAULTS_SEED=${seed})`;
    return error;
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

function report(run: RunReport): void {
  if (resultsPath !== undefined) appendFileSync(resultsPath, `${JSON.stringify(run)}\n`);
}
