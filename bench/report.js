/** From the figures of single runs to ratios, tables and what is kept. */

import { rows } from "./rows.js";
import { targets } from "./targets.js";
import { quantile } from "./workloads/quantile.js";
import { workloads } from "./workloads.js";

/** The row that all others are divided by. */
export const BASELINE = "ws";

/** CPU figures of W1 are given for this many bytes, whatever a run moved. */
const CPU_BYTES = 256 * 2 ** 20;
const BULK_BYTES = 65536;

/**
 * One run.
 * @typedef {{ round: number, workload: string, row: string, figures?: Record<string, number>, load?: { average: number, othersCores: number }, error?: string }} Run
 */

/**
 * All runs of one row at one workload.
 * @typedef {object} Summary
 * @property {string} row
 * @property {Record<string, number>} median Of each figure by itself.
 * @property {{ least: number, most: number }} range Of the figure.
 * @property {Record<string, number>} ratios To the rows named, each the median of the ratios within one round.
 * @property {(Record<string, number> & { round: number })[]} runs
 */

/**
 * @param {Run[]} runs
 * @returns {Record<string, Summary[]>} By workload.
 */
export function summarize(runs) {
  /** @type {Record<string, Summary[]>} */
  const summaries = {};
  for (const workload of Object.keys(workloads)) {
    const ofWorkload = runs.filter((run) => run.workload === workload && run.figures !== undefined);
    const ofRows = rows.map(({ name }) => ofWorkload.filter((run) => run.row === name)).filter((of) => of.length > 0);
    const ofAll = ofRows.map(summarizeRow);
    for (const summary of ofAll) {
      const compare = rows.find((row) => row.name === summary.row)?.compare ?? [];
      for (const against of [BASELINE, ...compare]) {
        const ratio = ratioOf(ofAll, summary.row, against, "value");
        if (!Number.isNaN(ratio)) summary.ratios[against] = ratio;
      }
    }
    if (ofAll.length > 0) summaries[workload] = ofAll;
  }
  return summaries;
}

/**
 * @param {Run[]} ofRow At least one.
 * @returns {Summary}
 */
function summarizeRow(ofRow) {
  const names = Object.keys(ofRow[0]?.figures ?? {});
  const valuesOf = (/** @type {string} */ figure) => ofRow.map((run) => run.figures?.[figure] ?? NaN);
  const values = valuesOf("value");
  return {
    row: ofRow[0]?.row ?? "",
    median: Object.fromEntries(names.map((figure) => [figure, quantile(valuesOf(figure), 0.5)])),
    range: { least: Math.min(...values), most: Math.max(...values) },
    ratios: {},
    runs: ofRow.map(({ round, figures }) => ({ ...figures, round })),
  };
}

/**
 * The median of the ratios within a round; NaN where the two never ran in the same one.
 * @param {Summary[]} ofRows
 * @param {string} row
 * @param {string} against
 * @param {string} figure
 */
function ratioOf(ofRows, row, against, figure) {
  const runsOf = (/** @type {string} */ name) => ofRows.find((summary) => summary.row === name)?.runs ?? [];
  const pairs = runsOf(row).flatMap((own) => {
    const other = runsOf(against).find(({ round }) => round === own.round);
    return other === undefined ? [] : [(own[figure] ?? NaN) / (other[figure] ?? NaN)];
  });
  return quantile(pairs, 0.5);
}

/**
 * @param {Record<string, Summary[]>} summaries
 * @param {(workload: string, row: string) => import("./workloads.js").Amount} amountOf
 * @returns {string}
 */
export function formatTables(summaries, amountOf) {
  return Object.entries(summaries)
    .map(([name, ofRows]) => {
      const { title, better } = /** @type {import("./workloads.js").Workload} */ (workloads[name]);
      const cpuNote = name === "W1" ? `; CPU seconds for ${CPU_BYTES / 2 ** 20} MiB` : "";
      const table = alignColumns(tabulate(name, ofRows, (row) => amountOf(name, row)));
      return `${name} ${title} (${better} is better${cpuNote})\n${table}`;
    })
    .join("\n\n");
}

/**
 * @param {string} name Of the workload.
 * @param {Summary[]} ofRows
 * @param {(row: string) => import("./workloads.js").Amount} amountOf
 * @returns {string[][]} Lines of cells, a heading first.
 */
export function tabulate(name, ofRows, amountOf) {
  const { unit, columns = {} } = /** @type {import("./workloads.js").Workload} */ (workloads[name]);
  const cpu = name === "W1" ? ["CPU-s A/R/B"] : [];
  const lines = ofRows.map(({ row, ratios, median, range }) => [
    row,
    formatNumber(ratios[BASELINE]),
    formatNumber(median["value"]),
    formatNumber(range.least),
    formatNumber(range.most),
    ...Object.keys(columns).map((figure) => formatNumber(median[figure])),
    ...cpu.map(() => formatCpu(median, amountOf(row))),
    Object.entries(ratios)
      .filter(([against]) => against !== BASELINE)
      .map(([against, ratio]) => `${formatNumber(ratio)} × ${against}`)
      .join(", "),
  ]);
  const header = ["", `× ${BASELINE}`, unit, "least", "most", ...Object.values(columns), ...cpu, "also"];
  const used = header.map((_cell, column) => column === 0 || lines.some((line) => line[column] !== ""));
  return [header, ...lines].map((line) => line.filter((_cell, column) => used[column]));
}

/**
 * @param {string} kind Of the run: targets are for one.
 * @param {Record<string, Summary[]>} summaries
 * @returns {{ text: string, workload: string, measured: number, met: boolean }[]} Those whose rows have run.
 */
export function judgeTargets(kind, summaries) {
  return targets.flatMap(
    ({ kinds = ["loopback"], workload, row, figure = "value", against, atLeast, atMost, text }) => {
      const ofRows = summaries[workload] ?? [];
      const own = ofRows.find((summary) => summary.row === row);
      if (!kinds.includes(kind) || own === undefined) return [];
      const other = against === "best" ? bestAlternative(ofRows, workload) : against;
      const measured = other === undefined ? own.median[figure] : ratioOf(ofRows, row, other, figure);
      if (measured === undefined || Number.isNaN(measured)) return [];
      const met = (atLeast === undefined || measured >= atLeast) && (atMost === undefined || measured <= atMost);
      const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
      const what = figure === "value" ? workload : `${workload} ${figure}`;
      const unit = other === undefined ? (text ?? workloads[workload]?.unit) : `× ${other}`;
      return [{ text: `${what} ${row}: ${bound} ${unit}`, workload, measured, met }];
    },
  );
}

/**
 * @param {Summary[]} ofRows
 * @param {string} workload
 */
function bestAlternative(ofRows, workload) {
  const sign = workloads[workload]?.better === "lower" ? 1 : -1;
  const alternatives = ofRows.filter(({ row }) => rows.find(({ name }) => name === row)?.kind === "alternative");
  return alternatives.sort((one, two) => sign * ((one.median["value"] ?? 0) - (two.median["value"] ?? 0)))[0]?.row;
}

/** @param {ReturnType<typeof judgeTargets>} judged */
export function formatTargets(judged) {
  return alignColumns(judged.map(({ text, measured, met }) => [text, formatNumber(measured), met ? "met" : "NOT MET"]));
}

/** @param {number | undefined} value */
export function formatNumber(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return size >= 100
    ? value.toFixed(0)
    : size >= 10
      ? value.toFixed(1)
      : value.toFixed(size >= 0.1 || size === 0 ? 2 : 3);
}

/**
 * @param {Record<string, number>} median
 * @param {import("./workloads.js").Amount} amount
 */
function formatCpu({ cpuA = NaN, cpuR = NaN, cpuB = NaN }, { warmup, counted }) {
  const scale = CPU_BYTES / ((warmup + counted) * BULK_BYTES);
  return [cpuA, cpuR, cpuB].map((seconds) => formatNumber(seconds * scale)).join("/");
}

/**
 * The first column flush left, numbers flush right, the last column flush left.
 * @param {string[][]} lines
 */
function alignColumns(lines) {
  const columns = (lines[0] ?? []).map((_cell, column) => lines.map((line) => line[column] ?? ""));
  const padded = columns.map((column, place) => {
    const width = Math.max(...column.map((cell) => cell.length));
    const left = place === 0 || place === columns.length - 1;
    return column.map((cell) => (left ? cell.padEnd(width) : cell.padStart(width)));
  });
  return lines
    .map((_line, place) =>
      padded
        .map((column) => column[place])
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
