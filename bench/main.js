/**
 * The benchmark: conec and its alternatives on the same work. See README.md beside this file.
 *
 *   npm run bench -- [--quick] [--only W1,W2] [--peers ws,tls] [--runs N]
 *   npm run bench -- --browser [--quick] [--peers ws] [--runs N]     tabs at one or both ends, W1 only
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeCertificate } from "./certificate.js";
import { describeMachine, describeVersions } from "./machine.js";
import { rows } from "./peers.js";
import { BASELINE, formatNumber, formatTables, formatTargets, judgeTargets, summarize } from "./report.js";
import { killAll, run } from "./run.js";
import { workloads } from "./workloads.js";

const NORMAL_RUNS = 5;
const QUICK_RUNS = 1;
const RESULTS_FILE = fileURLToPath(new URL("./results.json", import.meta.url));

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    peers: { type: "string" },
    runs: { type: "string" },
    browser: { type: "boolean", default: false },
  },
});
if (options.browser) {
  process.once("SIGINT", () => interrupt(130));
  const { runInBrowser } = await import("./browser/run-in-browser.js");
  process.exit(await runInBrowser({ quick: options.quick, peers: options.peers?.split(","), runs: options.runs }));
}
const workloadNames = choose("--only", options.only, Object.keys(workloads));
const allRowNames = rows.map(({ name }) => name);
const rowNames = choose("--peers", options.peers, allRowNames);
const roundCount = Number(options.runs ?? (options.quick ? QUICK_RUNS : NORMAL_RUNS));
if (!Number.isInteger(roundCount) || roundCount < 1) exitWith(2, `--runs wants a whole number, not ${options.runs}`);

process.on("SIGINT", () => interrupt(130));
process.on("SIGTERM", () => interrupt(143));

const startedMs = Date.now();
const machine = describeMachine();
const versions = describeVersions();
const certificate = makeCertificate();
console.log(listEntries(versions));
console.log(listEntries(machine));

/** @type {import("./report.js").Run[]} */
const runs = [];
for (const workload of workloadNames) {
  for (let round = 1; round <= roundCount; round++) {
    const chosen = rows.filter((row) => rowNames.includes(row.name) && workloadsOf(row).includes(workload));
    // There and back, so that a machine that slows down favours nobody.
    for (const row of round % 2 === 1 ? chosen : chosen.reverse()) {
      const what = `${workload} round ${round} of ${roundCount}: ${row.name}`;
      progress(`${what} …`);
      try {
        const figures = await run(row, workload, amountOf(workload, row.name), certificate);
        runs.push({ round, workload, row: row.name, figures });
        progress(`${what} ${formatNumber(figures.value)} ${workloads[workload]?.unit}`, true);
      } catch (error) {
        const [message] = (error instanceof Error ? error.message : String(error)).split("\n"); // no stack, no paths
        runs.push({ round, workload, row: row.name, error: message ?? "" });
        progress(`${what} FAILED: ${message}`, true);
      }
    }
  }
}

const summaries = summarize(runs);
const judged = judgeTargets(summaries);
const failures = runs.filter(({ error }) => error !== undefined);
const tookSeconds = Math.round((Date.now() - startedMs) / 1000);

console.log(`\n${formatTables(summaries, amountOf)}\n`);
console.log(`Ratios are medians of the ratios within a round; ${roundCount} round(s), ${tookSeconds} s in all.`);
if (judged.length > 0) console.log(`\nTargets\n${formatTargets(judged)}`);
for (const { workload, round, row, error } of failures) console.error(`\n${workload} round ${round} ${row}: ${error}`);

writeFileSync(
  RESULTS_FILE,
  JSON.stringify(
    {
      date: new Date(startedMs).toISOString(),
      tookSeconds,
      quick: options.quick,
      rounds: roundCount,
      baseline: BASELINE,
      versions,
      machine,
      workloads: Object.fromEntries(
        Object.entries(summaries).map(([name, ofRows]) => {
          const workload = workloads[name];
          const amounts = Object.fromEntries(ofRows.map(({ row }) => [row, amountOf(name, row)]));
          return [
            name,
            { title: workload?.title, unit: workload?.unit, better: workload?.better, amounts, rows: ofRows },
          ];
        }),
      ),
      targets: judged,
      failures,
    },
    undefined,
    2,
  ) + "\n",
);
console.log(`\nWritten to ${RESULTS_FILE}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** @param {import("./peers.js").Row} row */
function workloadsOf({ workloads: always = Object.keys(workloads), quickWorkloads = always }) {
  return options.quick ? quickWorkloads : always;
}

/**
 * @param {string} workloadName
 * @param {string} rowName
 * @returns {import("./workloads.js").Amount}
 */
function amountOf(workloadName, rowName) {
  const amounts = /** @type {import("./workloads.js").Workload} */ (workloads[workloadName]).amounts;
  const usual = options.quick ? amounts.quick : amounts.normal;
  const slow = rows.find(({ name }) => name === rowName)?.slow === true;
  return (slow ? amounts.slow : undefined) ?? usual;
}

/**
 * On a terminal a line that is replaced by the next until `done`; elsewhere only lines that are done.
 * @param {string} text
 * @param {boolean} [done]
 */
function progress(text, done = false) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}${done ? "\n" : ""}`);
  else if (done) console.log(text);
}

/**
 * @param {string} option
 * @param {string | undefined} given A list with commas.
 * @param {string[]} all
 */
function choose(option, given, all) {
  if (given === undefined) return all;
  const chosen = given.split(",").map((name) => name.trim());
  const unknown = chosen.find((name) => !all.includes(name));
  if (unknown !== undefined) exitWith(2, `${option} knows no ${unknown}; it knows ${all.join(", ")}`);
  return all.filter((name) => chosen.includes(name));
}

/** @param {Record<string, unknown>} entries */
function listEntries(entries) {
  return Object.entries(entries)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

/** @param {number} code */
function interrupt(code) {
  killAll();
  exitWith(code, "Interrupted");
}

/**
 * @param {number} code
 * @param {string} message
 * @returns {never}
 */
function exitWith(code, message) {
  console.error(message);
  process.exit(code);
}
