import { monitorEventLoopDelay } from "node:perf_hooks";

/**
 * How a process is, at one time. Memory in bytes, of JavaScript after a collection; the delay of the event loop in milliseconds,
 * since the sample before.
 *
 * @typedef {object} Sample
 * @property {number} atMs
 * @property {number} rss
 * @property {number} heap
 * @property {number} buffers
 * @property {string[]} handles What keeps the process running, beside the pipes to whoever started it.
 * @property {number} delayP50Ms
 * @property {number} delayP99Ms
 */

const resolutionMs = 10;

export class Vitals {
  #delay = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#delay.enable();
  }

  /** @returns {Sample} */
  sample() {
    globalThis.gc?.();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    const delay = (/** @type {number} */ percentile) => this.#delay.percentile(percentile) / 1e6 - resolutionMs;
    const [delayP50Ms, delayP99Ms] = [delay(50), delay(99)];
    this.#delay.reset();
    const atMs = performance.timeOrigin + performance.now();
    return { atMs, rss, heap: heapUsed, buffers: arrayBuffers, handles: this.handles(), delayP50Ms, delayP99Ms };
  }

  /** What keeps the process running, beside the pipes to whoever started it. */
  handles() {
    return process.getActiveResourcesInfo().filter((kind) => kind !== "PipeWrap");
  }

  stop() {
    this.#delay.disable();
  }
}

/**
 * By least squares, in MB per 10 minutes; undefined for less than three samples.
 *
 * @param {readonly Sample[]} samples
 * @param {"rss" | "heap" | "buffers"} what
 */
export function slope(samples, what) {
  if (samples.length < 3) return undefined;
  const times = samples.map(({ atMs }) => atMs / 600_000);
  const values = samples.map((sample) => sample[what] / 1e6);
  const [time, value] = [mean(times), mean(values)];
  const spread = times.reduce((sum, each) => sum + (each - time) ** 2, 0);
  return times.reduce((sum, each, i) => sum + (each - time) * (/** @type {number} */ (values[i]) - value), 0) / spread;
}

/** @param {readonly number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
