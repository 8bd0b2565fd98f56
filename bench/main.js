/**
 * The benchmark: conec and its alternatives on the same work. See README.md beside this file.
 *
 *   npm run bench -- [--quick] [--only W1,W2] [--peers ws,tls] [--runs N] [--mtu1500] [--node current] [--resume] [--publish]
 *   npm run bench -- --browser [--quick] [--peers ws] [--runs N] [--publish]   tabs at one or both ends, W1 only
 *   npm run bench -- --costs [--publish]                                       importing, starting, bundle sizes
 */

import os from "node:os";
import { parseArgs } from "node:util";
import { makeCertificate } from "./certificate.js";
import { Journal, keep, publish } from "./journal.js";
import { busySeconds, describeMachine, describeVersions } from "./machine.js";
import { hosts } from "./network.js";
import { formatNumber, formatTables, formatTargets, judgeTargets, summarize } from "./report.js";
import { rows } from "./rows.js";
import { killAll, run } from "./run.js";
import { isOnCurrentNode, prepare, useCurrentNode } from "./setup.js";
import { workloads } from "./workloads.js";

const QUICK_WORKLOADS = ["W1", "W2", "W3", "W4"];

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    peers: { type: "string" },
    runs: { type: "string" },
    mtu1500: { type: "boolean", default: false },
    node: { type: "string" },
    resume: { type: "boolean", default: false },
    publish: { type: "boolean", default: false },
    browser: { type: "boolean", default: false },
    costs: { type: "boolean", default: false },
  },
});
if (![undefined, "current"].includes(options.node)) exitWith(2, "--node knows only `current`");
if (options.publish && (options.quick || options.peers !== undefined || options.runs !== undefined)) {
  exitWith(2, "--publish is for whole runs: without --quick, --peers and --runs");
}
if (options.node === "current" && !isOnCurrentNode) exitWith(2, useCurrentNode());
process.on("SIGINT", () => interrupt(130));
process.on("SIGTERM", () => interrupt(143));
if (options.browser) {
  const { runInBrowser } = await import("./browser/run-in-browser.js");
  process.exit(await runInBrowser({ ...options, peers: options.peers?.split(",") }));
}
if (options.costs) {
  const { measureCosts } = await import("./costs.js");
  process.exit(await measureCosts(options));
}

const workloadNames = choose(
  "--only",
  options.only,
  Object.keys(workloads),
  options.quick ? QUICK_WORKLOADS : undefined,
);
const quickRows = rows.filter(({ packages, whenNamed = packages !== undefined }) => !whenNamed).map(({ name }) => name);
const rowNames = choose(
  "--peers",
  options.peers,
  rows.map(({ name }) => name),
  options.quick ? quickRows : undefined,
);
if (options.runs !== undefined && !/^[1-9]\d*$/.test(options.runs)) {
  exitWith(2, `--runs wants a whole number, not ${options.runs}`);
}
const chosen = rows.filter(({ name }) => rowNames.includes(name));
const missing = await prepare(chosen, workloadNames, options.mtu1500).catch((error) => exitWith(2, error.message));

const startedMs = Date.now();
const kind = `${options.mtu1500 ? "mtu1500" : "loopback"}${isOnCurrentNode ? "-current-node" : ""}`;
const machine = describeMachine();
const versions = describeVersions();
const certificate = makeCertificate(hosts);
const name = options.quick ? `${kind}-quick` : kind;
const journal = new Journal(name, versions, options.resume);
console.log(listEntries(versions));
console.log(listEntries(machine));
for (const [name, reason] of [...Object.entries(missing.rows), ...Object.entries(missing.workloads)]) {
  console.log(`Without ${name}: ${reason}`);
}

const plan = planRuns();
const todo = plan.filter(({ workload, round, row }) => !journal.has(workload, round, row.name));
for (const [done, { workload, round, row }] of todo.entries()) {
  const what = `${done + 1} of ${todo.length}: ${workload} round ${round} ${row.name}`;
  progress(`${what} …`);
  const before = { ms: Date.now(), busy: busySeconds(), own: ownSeconds() };
  const about = { round, workload, row: row.name };
  try {
    const { figures, cpuSeconds } = await run(row, workload, amountOf(workload, row.name), certificate);
    const elapsed = (Date.now() - before.ms) / 1000;
    const others = (busySeconds() - before.busy - (ownSeconds() - before.own) - cpuSeconds) / elapsed;
    const load = { average: os.loadavg()[0] ?? 0, othersCores: Math.max(0, others) };
    journal.add({ ...about, figures, load });
    progress(`${what}: ${formatNumber(figures.value)} ${workloads[workload]?.unit}`, true);
  } catch (error) {
    const [message] = (error instanceof Error ? error.message : String(error)).split("\n"); // no stack, no paths
    journal.add({ ...about, error: message ?? "" });
    progress(`${what} FAILED: ${message}`, true);
  }
}

const summaries = summarize(journal.runs);
const judged = judgeTargets(kind, summaries);
const failures = journal.runs.filter(({ error }) => error !== undefined);
const tookSeconds = Math.round((Date.now() - startedMs) / 1000);

console.log(`\n${formatTables(summaries, amountOf)}\n`);
console.log(`Ratios are medians of the ratios within a round. ${tookSeconds} s in all.`);
if (judged.length > 0) console.log(`\nTargets\n${formatTargets(judged)}`);
for (const { workload, round, row, error } of failures) console.error(`\n${workload} round ${round} ${row}: ${error}`);

const result = Object.fromEntries(Object.entries(summaries).map(([name, ofRows]) => [name, describe(name, ofRows)]));
// What fails with others is published as such; conec has to be right first.
const ownFailures = failures.filter(({ row }) => rows.find((each) => each.name === row)?.kind === "conec");
const isPublished = options.publish && ownFailures.length === 0;
console.log(`\nWritten to ${isPublished ? publish(kind, result) : keep(name, { kind, workloads: result })}`);
if (options.publish && !isPublished) console.log("Not published, as conec failed: --resume tries that again");
process.exitCode = failures.length > 0 ? 1 : 0;

/** In the order in which they are made. */
function planRuns() {
  return workloadNames
    .filter((workload) => missing.workloads[workload] === undefined)
    .flatMap((workload) => {
      const rounds = Number(options.runs ?? (options.quick ? 1 : workloads[workload]?.rounds));
      return Array.from({ length: rounds }, (_, i) => i + 1).flatMap((round) => {
        const ofRound = chosen.filter(
          (row) => missing.rows[row.name] === undefined && workloadsOf(row).includes(workload),
        );
        // There and back, so that a machine that slows down favours nobody.
        return (round % 2 === 1 ? ofRound : ofRound.reverse()).map((row) => ({ workload, round, row }));
      });
    });
}

/**
 * What is kept of a workload.
 * @param {string} name
 * @param {import("./report.js").Summary[]} ofRows
 */
function describe(name, ofRows) {
  const { title, unit, better, columns } = /** @type {import("./workloads.js").Workload} */ (workloads[name]);
  const loads = journal.runs.filter(({ workload }) => workload === name).flatMap(({ load }) => load ?? []);
  const most = (/** @type {"average" | "othersCores"} */ which) => Math.max(...loads.map((load) => load[which]));
  return {
    title,
    unit,
    better,
    columns,
    date: new Date(startedMs).toISOString(),
    quick: options.quick,
    versions,
    machine,
    /** loadAverage has the bench's own processes in it, othersCores not. */
    load: { mostLoadAverage: most("average"), mostOthersCores: most("othersCores") },
    amounts: Object.fromEntries(ofRows.map(({ row }) => [row, amountOf(name, row)])),
    rows: ofRows,
    skipped: Object.entries(missing.rows)
      .filter(([row]) => chosen.find((each) => each.name === row)?.workloads.includes(name))
      .map(([row, reason]) => ({ row, reason })),
    failures: failures.filter(({ workload }) => workload === name),
  };
}

/** @param {import("./rows.js").Row} row */
function workloadsOf({ workloads: always, quick = always }) {
  return options.quick ? quick : always;
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

/** Processor seconds of this process. */
function ownSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
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
 * @param {string[]} [usual] Where nothing is given; else all.
 */
function choose(option, given, all, usual = all) {
  if (given === undefined) return usual;
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
