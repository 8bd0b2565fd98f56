/** From the figures of single runs to ratios, tables and results.json. */

import { rows } from "./peers.js";
import { targets } from "./targets.js";
import { quantile, workloads } from "./workloads.js";

/** The row that all others are divided by. */
export const BASELINE = "ws";

/** CPU figures of W1 are given for this many bytes, whatever a run moved. */
const CPU_BYTES = 256 * 2 ** 20;
const BULK_BYTES = 65536;

/** One run. @typedef {{ round: number, workload: string, row: string, figures?: Record<string, number>, error?: string }} Run */

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
    if (ofRows.length > 0) summaries[workload] = ofRows.map((ofRow) => summarizeRow(ofRow, ofWorkload));
  }
  return summaries;
}

/**
 * @param {Run[]} ofRow At least one.
 * @param {Run[]} ofWorkload
 * @returns {Summary}
 */
function summarizeRow(ofRow, ofWorkload) {
  const name = ofRow[0]?.row ?? "";
  const names = Object.keys(ofRow[0]?.figures ?? {});
  const valuesOf = (/** @type {string} */ figure) => ofRow.map((run) => run.figures?.[figure] ?? NaN);
  const compare = rows.find((row) => row.name === name)?.compare ?? [];

  /** @type {Record<string, number>} */
  const ratios = {};
  for (const against of [BASELINE, ...compare]) {
    const pairs = ofRow.flatMap(({ round, figures }) => {
      const other = ofWorkload.find((run) => run.row === against && run.round === round);
      return other === undefined ? [] : [(figures?.["value"] ?? NaN) / (other.figures?.["value"] ?? NaN)];
    });
    if (pairs.length > 0) ratios[against] = quantile(pairs, 0.5);
  }
  const values = valuesOf("value");
  return {
    row: name,
    median: Object.fromEntries(names.map((figure) => [figure, quantile(valuesOf(figure), 0.5)])),
    range: { least: Math.min(...values), most: Math.max(...values) },
    ratios,
    runs: ofRow.map(({ round, figures }) => ({ ...figures, round })),
  };
}

/**
 * @param {Record<string, Summary[]>} summaries
 * @param {(workload: string, row: string) => import("./workloads.js").Amount} amountOf
 * @returns {string}
 */
export function formatTables(summaries, amountOf) {
  return Object.entries(summaries)
    .map(([name, ofRows]) => {
      const workload = workloads[name];
      if (workload === undefined) return "";
      const header = [
        "",
        `× ${BASELINE}`,
        workload.unit,
        "least",
        "most",
        name === "W1" ? "CPU-s A/R/B" : "p99",
        "also",
      ];
      const lines = ofRows.map(({ row, ratios, median, range }) => {
        const also = Object.entries(ratios).filter(([against]) => against !== BASELINE);
        return [
          row,
          formatNumber(ratios[BASELINE]),
          formatNumber(median["value"]),
          formatNumber(range.least),
          formatNumber(range.most),
          name === "W1" ? formatCpu(median, amountOf(name, row)) : formatNumber(median["p99"]),
          also.map(([against, ratio]) => `${formatNumber(ratio)} × ${against}`).join(", "),
        ];
      });
      const cpuNote = name === "W1" ? `; CPU seconds for ${CPU_BYTES / 2 ** 20} MiB` : "";
      return `${name} ${workload.title} (${workload.better} is better${cpuNote})\n${alignColumns([header, ...lines])}`;
    })
    .join("\n\n");
}

/**
 * @param {Record<string, Summary[]>} summaries
 * @returns {{ text: string, workload: string, ratio: number, met: boolean }[]} Those whose rows have run.
 */
export function judgeTargets(summaries) {
  return targets.flatMap(({ workload, row, against, atLeast, atMost }) => {
    const ratio = summaries[workload]?.find((summary) => summary.row === row)?.ratios[against];
    if (ratio === undefined) return [];
    const met = (atLeast === undefined || ratio >= atLeast) && (atMost === undefined || ratio <= atMost);
    const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    return [{ text: `${workload} ${row}: ${wanted} × ${against}`, workload, ratio, met }];
  });
}

/** @param {ReturnType<typeof judgeTargets>} judged */
export function formatTargets(judged) {
  return alignColumns(judged.map(({ text, ratio, met }) => [text, formatNumber(ratio), met ? "met" : "NOT MET"]));
}

/** @param {number | undefined} value */
export function formatNumber(value) {
  if (value === undefined || Number.isNaN(value)) return "";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 0.1 ? 2 : 3);
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
 * The first column flush left, numbers flush right, the last column flush left. Columns with nothing but a heading
 * are left out.
 * @param {string[][]} lines
 */
function alignColumns(lines) {
  const all = (lines[0] ?? []).map((_cell, column) => lines.map((line) => line[column] ?? ""));
  const used = all.filter((column, place) => place === 0 || column.slice(1).some((cell) => cell !== ""));
  const padded = used.map((column, place) => {
    const width = Math.max(...column.map((cell) => cell.length));
    const left = place === 0 || column === all.at(-1);
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
