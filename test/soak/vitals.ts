import { readdirSync, readlinkSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

import { loadAllocator } from "../support/allocator.ts";

/** How a process is, at one time. Memory in bytes, after a garbage collection. */
export interface Sample {
  atMs: number;
  rss: number;
  heap: number;
  /** Outside of it, in use: {@link Allocator.bytesInUse}. */
  native: number;
  /** Sockets, timers and the like that are open. */
  handles: number;
  /** Of the event loop, since the sample before. */
  delayP99Ms: number;
}

const allocator = await loadAllocator();

/** Looks after the process that it is in. */
export class Vitals {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });

  readonly #socketsAtStart = countSockets();

  constructor() {
    this.#delay.enable();
  }

  /** What keeps the process running, beside the pipes to whoever started it, and what sockets there are that Node does not know. */
  handles(): string[] {
    const known = process.getActiveResourcesInfo().filter((kind) => kind !== "PipeWrap");
    const more = Math.max(0, countSockets() - this.#socketsAtStart);
    return [...known, ...Array.from({ length: more }, () => "descriptor of a socket")];
  }

  sample(): Sample {
    const delayP99Ms = Math.max(0, this.#delay.percentile(99) / 1e6 - resolutionMs);
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    this.#delay.reset();
    const atMs = performance.timeOrigin + performance.now();
    return { atMs, rss, heap: heapUsed, native: allocator.bytesInUse(), handles: this.handles().length, delayP99Ms };
  }

  stop(): void {
    this.#delay.disable();
  }
}

/** By least squares, in MB per 10 minutes. 0 for less than three samples. */
export function slope(samples: readonly Sample[], what: "rss" | "heap" | "native"): number {
  if (samples.length < 3) return 0;
  const [time, value] = [mean(samples.map(({ atMs }) => atMs)), mean(samples.map((sample) => sample[what]))];
  const spread = samples.reduce((sum, { atMs }) => sum + (atMs - time) ** 2, 0);
  const common = samples.reduce((sum, sample) => sum + (sample.atMs - time) * (sample[what] - value), 0);
  return (common / spread) * 0.6;
}

function countSockets(): number {
  if (process.platform !== "linux") return 0;
  const isSocket = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // that of the folder itself
    }
  };
  return readdirSync("/proc/self/fd").filter(isSocket).length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const resolutionMs = 10;
