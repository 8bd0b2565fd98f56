import { monitorEventLoopDelay } from "node:perf_hooks";

/** How a process is, at one time. Memory in bytes, after a garbage collection. */
export interface Sample {
  atMs: number;
  rss: number;
  heap: number;
  /** What keeps it running. */
  handles: number;
  /** Of the event loop, since the sample before. */
  delayP99Ms: number;
}

/** Looks after the process that it is in. */
export class Vitals {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#delay.enable();
  }

  /** What keeps the process running, beside the pipes to whoever started it. */
  static handles(): string[] {
    return process.getActiveResourcesInfo().filter((kind) => kind !== "PipeWrap");
  }

  sample(): Sample {
    const delayP99Ms = Math.max(0, this.#delay.percentile(99) / 1e6 - resolutionMs);
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    this.#delay.reset();
    const atMs = performance.timeOrigin + performance.now();
    return { atMs, rss, heap: heapUsed, handles: Vitals.handles().length, delayP99Ms };
  }

  stop(): void {
    this.#delay.disable();
  }
}

/** By least squares, in MB per 10 minutes. 0 for less than three samples. */
export function slope(samples: readonly Sample[], what: "rss" | "heap"): number {
  if (samples.length < 3) return 0;
  const [time, value] = [mean(samples.map(({ atMs }) => atMs)), mean(samples.map((sample) => sample[what]))];
  const spread = samples.reduce((sum, { atMs }) => sum + (atMs - time) ** 2, 0);
  const common = samples.reduce((sum, sample) => sum + (sample.atMs - time) * (sample[what] - value), 0);
  return (common / spread) * 0.6;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const resolutionMs = 10;
