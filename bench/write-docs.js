/**
 * `npm run bench:docs`: writes the charts in docs/charts, and what stands between the marks in docs/performance.md, from
 * bench/results. `<!-- bench:KIND/WORKLOAD -->` is for one workload, `bench:targets` for the targets of all, `bench:rows` for the
 * list of rows.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { barChart } from "./charts.js";
import { BASELINE, formatNumber, judgeTargets, tabulate } from "./report.js";
import { rows } from "./rows.js";

const DOCS = new URL("../docs/", import.meta.url);
const CHARTS = new URL("charts/", DOCS);
const RESULTS = new URL("results/", import.meta.url);
/** A bar is cut off that would be so many times longer than the baseline's. */
const MOST_TIMES_BASELINE = 12;
/** Other programs took as much: the figures are not the last word. */
const QUIET_CORES = 0.15;

/** @typedef {any} Result What main.js keeps of a workload. */

const kinds = ["loopback", "loopback-current-node", "mtu1500", "mtu1500-current-node", "browser", "costs"];
/** @type {Record<string, Record<string, Result>>} */
const results = Object.fromEntries(kinds.map((kind) => [kind, read(kind)]));

rmSync(CHARTS, { recursive: true, force: true });
mkdirSync(CHARTS, { recursive: true });
const page = new URL("performance.md", DOCS);
const written = readFileSync(page, "utf8").replaceAll(
  /(<!-- bench:(\S+) -->)[^]*?(<!-- \/bench -->)/g,
  (_all, start, key, end) => `${start}\n\n${sectionOf(key)}\n\n${end}`,
);
writeFileSync(page, written);
spawnSync("npx", ["prettier", "--write", fileURLToPath(page)], {
  stdio: "inherit",
  shell: process.platform === "win32",
});

/** @param {string} key */
function sectionOf(key) {
  if (key === "targets") return targetTable();
  if (key === "rows") {
    return markdownTable([["row", "what it is"], ...rows.map(({ name, about }) => [`\`${name}\``, about])], "---");
  }
  const [kind = "", workload = ""] = key.split("/");
  const result = results[kind]?.[workload];
  if (result === undefined) return "Not measured yet.";
  if (kind === "costs") return costTable(result);
  if (kind === "browser") return browserTable(result);
  const file = `${kind}-${workload}.svg`;
  writeFileSync(new URL(file, CHARTS), chartOf(kind, workload, result));
  const cells = tabulate(workload, result.rows, (row) => result.amounts[row]);
  return [
    `![${result.title}](charts/${file})`,
    markdownTable(cells),
    [conditions(result), ...absences(result)].join(" "),
  ].join("\n\n");
}

/**
 * @param {string} kind
 * @param {string} workload
 * @param {Result} result
 */
function chartOf(kind, workload, result) {
  const baseline = result.rows.find((/** @type {any} */ { row }) => row === BASELINE)?.median.value;
  const bars = result.rows.map((/** @type {any} */ { row, median, ratios }) => ({
    name: row,
    value: Math.max(0, median.value),
    kind: rows.find(({ name }) => name === row)?.kind ?? "limit",
    note: row === BASELINE || ratios[BASELINE] === undefined ? "" : `${formatNumber(ratios[BASELINE])} × ws`,
  }));
  const where = kind.startsWith("mtu1500") ? ", MTU 1500" : "";
  const [name, ...details] = result.title.split(": ");
  return barChart({
    title: `${workload} ${name}${where}`,
    unit: [...details, `${result.unit}, ${result.better} is better`].join("; "),
    bars,
    baseline,
    most: baseline * MOST_TIMES_BASELINE || Infinity,
  });
}

function targetTable() {
  const judged = kinds
    .filter((kind) => kind !== "browser" && kind !== "costs")
    .flatMap((kind) => {
      const summaries = Object.fromEntries(
        Object.entries(results[kind] ?? {}).map(([name, { rows: ofRows }]) => [name, ofRows]),
      );
      return judgeTargets(kind, summaries).map((each) => ({ kind, ...each }));
    });
  const { table = [], target } = results["browser"]?.["W1"] ?? {};
  for (const { direction, row, ratio } of table) {
    if (row !== target.row) continue;
    const text = `W1 ${row}, ${direction}: at least ${target.atLeast} × a WebSocket relay`;
    judged.push({ kind: "browser", text, workload: "W1", measured: ratio, met: ratio >= target.atLeast });
  }
  if (judged.length === 0) return "Not measured yet.";
  const lines = judged.map(({ kind, text, measured, met }) => [
    kind,
    text,
    formatNumber(measured),
    met ? "met" : "**not met**",
  ]);
  return markdownTable([["run", "target", "measured", ""], ...lines], "---");
}

/** @param {Result} result */
function browserTable(result) {
  const lines = result.table.map((/** @type {any} */ { direction, row, ratio, median }) => [
    direction,
    row,
    formatNumber(ratio),
    formatNumber(median),
  ]);
  return `${markdownTable([["", "", "× ws", "MB/s"], ...lines])}\n\n${conditions(result)}`;
}

/** @param {Result} result */
function costTable(result) {
  const lines = result.table.map((/** @type {any} */ { what, ms, megabytes }) => [
    what,
    formatNumber(ms),
    formatNumber(megabytes),
  ]);
  const sizes = Object.entries(result.bundle).map(([unit, size]) => `${Number(size).toLocaleString("en-US")} ${unit}`);
  const bundle = `\`conec/browser\`: ${sizes.join("; ")}.`;
  return `${markdownTable([["", "ms", "MB resident"], ...lines])}\n\n${bundle}\n\n${conditions(result)}`;
}

/** @param {Result} result */
function conditions({ date, versions, machine, load, rows: ofRows, rounds }) {
  const count = rounds ?? Math.max(...ofRows.map((/** @type {any} */ { runs }) => runs.length));
  const busy = load?.mostOthersCores;
  const quiet =
    busy === undefined
      ? ` Load average at the start ${machine.loadAverage}.`
      : busy > QUIET_CORES
        ? ` **Other programs took up to ${formatNumber(busy)} of its cores meanwhile: to be measured again on a quiet machine.**`
        : "";
  const at = `${machine.cores} cores (${machine.cpu}), Node ${versions.node.slice(1)}, ${date.slice(0, 10)}`;
  return `${count} round${count === 1 ? "" : "s"} on ${at}.${quiet}`;
}

/** @param {Result} result */
function absences({ skipped = [], failures = [] }) {
  return [
    ...skipped.map((/** @type {any} */ { row, reason }) => `Without \`${row}\`: ${reason}.`),
    ...[...new Set(failures.map((/** @type {any} */ { row }) => row))].map((row) => {
      const own = failures.filter((/** @type {any} */ failure) => failure.row === row);
      return `\`${row}\` failed ${own.length === 1 ? "once" : `${own.length} times`}: ${own[0].error}.`;
    }),
  ];
}

/**
 * @param {string[][]} lines The first is the heading.
 * @param {string} alignment Of all columns but the first.
 */
function markdownTable([head = [], ...lines], alignment = "--:") {
  const rule = head.map((_cell, place) => (place === 0 ? "---" : alignment));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @param {string} kind */
function read(kind) {
  const file = new URL(`${kind}.json`, RESULTS);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).workloads : {};
}
