import { slope } from "./vitals.js";

/** @import { Child } from "./child.js" */
/** @import { Counts } from "./host.js" */
/** @import { Sample } from "./vitals.js" */

/** MB per 10 minutes. */
export const mostSlope = 1;

/** What is known of the memory and the event loop of one process. */
export class ProcessReport {
  #child;
  /** @type {Sample[]} */
  #samples = [];
  /** Of those that were ended before. @type {Counts} */
  #former = {};
  /** @type {Counts} */
  #counts = {};

  /** @param {Child} child */
  constructor(child) {
    this.#child = child;
  }

  get name() {
    return this.#child.name;
  }

  /** Of all processes that this one follows. */
  get counts() {
    return sum([this.#former, this.#counts]);
  }

  /** Another process has taken its place. @param {Child} child */
  follow(child) {
    this.#former = this.counts;
    this.#counts = {};
    this.#samples = [];
    this.#child = child;
  }

  async sample() {
    const child = this.#child;
    const answer = await child.do("sample");
    if (answer === undefined || child !== this.#child) return;
    this.#samples.push(answer.sample);
    this.#counts = answer.counts;
  }

  /** After the first third, in MB per 10 minutes. @param {"rss" | "heap" | "buffers"} what */
  slope(what) {
    return slope(this.#samples.slice(Math.ceil(this.#samples.length / 3)), what);
  }

  /** @param {boolean} isLast */
  line(isLast) {
    const last = this.#samples.at(-1);
    if (last === undefined) return `${this.name}: no sample`;
    const delays = isLast ? this.#samples : [last];
    const [p50, p99] = [median(delays.map((each) => each.delayP50Ms)), median(delays.map((each) => each.delayP99Ms))];
    const memory = /** @type {const} */ (["rss", "heap", "buffers"]).map((what) => {
      const perTen = this.slope(what);
      return `${what} ${(last[what] / 1e6).toFixed(1)} MB${perTen === undefined ? "" : ` (${signed(perTen)} in 10 min)`}`;
    });
    const delay = `event loop p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
    return `${this.name}: ${memory.join(", ")}, ${last.handles.length} handles, ${delay}`;
  }
}

/** @param {readonly ProcessReport[]} reports */
export function formatCounts(reports) {
  const all = sum(reports.map(({ counts }) => counts));
  const parts = Object.keys(all).sort();
  return parts.map((what) => `${what} ${what === "bytes" ? `${(Number(all[what]) / 1e6).toFixed(0)} M` : all[what]}`).join(", ");
}

/** @param {readonly Counts[]} all @returns {Counts} */
function sum(all) {
  /** @type {Counts} */
  const total = {};
  for (const counts of all)
    for (const [what, count] of Object.entries(counts)) total[what] = (total[what] ?? 0) + count;
  return total;
}

/** @param {number} value */
function signed(value) {
  return `${value < 0 ? "" : "+"}${value.toFixed(2)}`;
}

/** @param {number[]} values */
function median(values) {
  return /** @type {number} */ (values.toSorted((a, b) => a - b)[values.length >> 1]);
}
