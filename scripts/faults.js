/**
 * `npm run faults -- --runs 20`: every row of test/faults in full, so many times (1 by default), one after the other, and a
 * table of what came of it.
 *
 *   --seed N       the first run's, the next one's is N + 1 and so on; otherwise any. The table names those that failed
 *   --only WORDS   only rows whose fault or outcome has these words: "silence", "rebinding", …
 *   --kind NAME    quic or webtransport (with Chromium); otherwise both
 *
 * A short run of the same is in `npm test`, with the seed in CONEC_FAULTS_SEED.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { readJsonLines } from "./json-lines.js";

/** @import { RunReport } from "../test/faults/fault-tests.ts" */

const root = fileURLToPath(new URL("..", import.meta.url));
const files = { quic: "test/faults/quic.test.ts", webtransport: "test/faults/webtransport.browser.test.ts" };

const { values } = parseArgs({
  options: {
    runs: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
    kind: { type: "string" },
  },
});
const runs = number("runs", values.runs ?? "1", 1000);
const seed = number("seed", values.seed ?? String(Math.floor(Math.random() * 2 ** 30)), 2 ** 30);
const chosen = Object.entries(files).filter(([kind]) => values.kind === undefined || kind === values.kind);
const only = values.only === undefined ? [] : ["-t", values.only.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")];

const folder = mkdtempSync(join(tmpdir(), "conec-faults-"));
const results = join(folder, "runs.jsonl");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const args = [vitest, "run", "--no-file-parallelism", ...chosen.map(([, file]) => file), ...only];
const env = {
  ...process.env,
  CONEC_FAULTS_RESULTS: results,
  CONEC_FAULTS_RUNS: String(runs),
  CONEC_FAULTS_SEED: String(seed),
};
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env });
/** @type {RunReport[]} */
const reports = readJsonLines(results);
rmSync(folder, { recursive: true, force: true });
console.log(`\n${table(reports)}\n\nNode ${process.version}, ${runs} run(s) of each, seeds from ${seed}`);
process.exitCode = status ?? 1;

/** @param {RunReport[]} all */
function table(all) {
  /** @type {Map<string, RunReport[]>} */
  const rows = new Map();
  for (const run of all) {
    const key = `${run.fault} | ${run.kind}`;
    rows.set(key, [...(rows.get(key) ?? []), run]);
  }
  const lines = [...rows].map(([key, of]) => {
    const failed = of.filter(({ error }) => error !== undefined);
    const passed = `${of.length - failed.length} of ${of.length}`;
    const seeds = failed.map(({ seed }) => seed).join(" ");
    const times = of.flatMap(({ ms }) => (ms === undefined ? [] : [ms]));
    return `| ${key} | ${passed} | ${spread(times)} | ${figures(of)} | ${seeds} |`;
  });
  return [
    "| fault | transport | as it must | time to outcome, ms: median (worst) | figures: median (range) | seeds that failed |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** @param {number[]} values */
function spread(values) {
  return values.length === 0 ? "–" : `${round(median(values))} (${round(Math.max(...values))})`;
}

/** @param {RunReport[]} of */
function figures(of) {
  const names = new Set(of.flatMap(({ figures = {} }) => Object.keys(figures)));
  return [...names]
    .map((name) => {
      const measured = of.flatMap(({ figures }) => figures?.[name] ?? []);
      return `${name} ${round(median(measured))} (${round(Math.min(...measured))}–${round(Math.max(...measured))})`;
    })
    .join(", ");
}

/** @param {number[]} sorted */
function median(sorted) {
  return sorted.toSorted((a, b) => a - b)[Math.floor(sorted.length / 2)] ?? NaN;
}

/** @param {number} value */
function round(value) {
  return Number(value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value + 1)) : 2));
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} below
 */
function number(name, text, below) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value < below) return value;
  console.error(`--${name} must be a whole number below ${below}, not ${text}`);
  process.exit(2);
}
