import { BASELINE, formatNumber } from "../../bench/report.js";
import { rows } from "../../bench/rows.js";
import { escapeHtml } from "./highlight.js";

/** Bulk, small messages, round trip, opening: see bench/README.md. */
const shownWorkloads = ["W1", "W2", "W3", "W4"];
/** A longer bar is cut off: so many times the baseline. */
const mostTimesBaseline = 5;
/** Other programs took as much of the cores: the figures are not the last word. */
const quietCores = 0.15;

/** @typedef {any} Result What bench/main.js keeps of a workload. */

/**
 * What was measured over loopback, best first, whoever it is. Limits, which are no choice for users, are left out.
 *
 * @param {{ workloads: Record<string, Result> }} results
 */
export function figures({ workloads }) {
  const measured = shownWorkloads.filter((name) => workloads[name] !== undefined);
  return measured.map((name) => chart(name, workloads[name])).join("\n");
}

/** @param {string} name @param {Result} result */
function chart(name, result) {
  const isBetter = result.better === "higher" ? 1 : -1;
  const shown = result.rows
    .map((/** @type {any} */ row) => ({
      ...row,
      ...rows.find((known) => known.name === row.row),
      ratio: row.ratios[BASELINE],
    }))
    .filter((/** @type {any} */ { kind, ratio }) => (kind === "conec" || kind === "alternative") && ratio !== undefined)
    .sort((/** @type {any} */ a, /** @type {any} */ b) => isBetter * (b.ratio - a.ratio));
  const longest = Math.min(mostTimesBaseline, Math.max(...shown.map((/** @type {any} */ { ratio }) => ratio)));
  const lines = shown.map(
    (/** @type {any} */ { row, kind, ratio, median }) => `<tr class="${kind}">
<th scope="row">${escapeHtml(row)}</th>
<td class="bar"><span class="${ratio > longest ? "cut" : ""}" style="width: ${((100 * Math.min(ratio, longest)) / longest).toFixed(1)}%"></span></td>
<td>${formatNumber(ratio)}</td><td>${formatNumber(median.value)}</td>
</tr>`,
  );
  const [title = "", details = ""] = result.title.split(": ");
  return `<figure class="figures" id="${name}">
<figcaption><h3>${title}</h3><p>${escapeHtml(details)}; ${result.better} is better. ${standing(shown, isBetter)}</p></figcaption>
<table><thead><tr><th scope="col"><span class="unseen">row</span></th><td></td><th scope="col">× ws</th><th scope="col">${result.unit}</th></tr></thead>
<tbody>
${lines.join("\n")}
</tbody></table>
<p class="quiet">${conditions(result)}</p>
</figure>`;
}

/** @param {any[]} shown @param {number} isBetter */
function standing(shown, isBetter) {
  const own = shown.find(({ row }) => row === "conec").ratio;
  const others = shown.filter(({ kind }) => kind === "alternative");
  const ahead = others.filter(({ ratio }) => isBetter * (ratio - own) > 0).length;
  return `<strong>${ahead} of ${others.length} alternatives are ahead of conec, ${others.length - ahead} behind.</strong>`;
}

/** @param {Result} result */
function conditions({ date, rounds, rows: ofRows, machine, versions, load }) {
  const count = rounds ?? Math.max(...ofRows.map((/** @type {any} */ { runs }) => runs.length));
  const others = load?.mostOthersCores ?? 0;
  const busy = others > quietCores ? ` Other programs took up to ${formatNumber(others)} of its cores meanwhile.` : "";
  return `${count} rounds, ${machine.cores} cores, Node ${versions.node.slice(1)}, ${date.slice(0, 10)}.${busy}`;
}
