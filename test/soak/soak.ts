import { setTimeout as pause } from "node:timers/promises";
import { Child } from "./child.ts";
import { Judge } from "./judge.ts";
import type { ClientPlan, Settings } from "./process.ts";
import type { TransportName } from "./way.ts";
import { slope } from "./vitals.ts";
import type { Sample } from "./vitals.ts";

export interface SoakOptions {
  minutes: number;
  seed: number;
  clients: number;
  /** Of Clients, beside the one of the Coordinator. */
  processes: number;
  /** The Clients take turns with them. */
  transports: readonly TransportName[];
}

/** What the runs of {@link soak} and its like tell on the way. */
export interface Teller {
  log: (line: string) => void;
  /** Something that must not be. */
  find: (finding: string) => void;
}

/** Clients that do anything at all, until the time is over. */
export async function soak(options: SoakOptions, { log, find }: Teller): Promise<void> {
  const { seed, clients } = options;
  const judge = new Judge(find);
  const start = (name: string): Child =>
    new Child(name, (news) => ("finding" in news ? find(news.finding) : judge.add(news.ending)));
  const settings = (name: number): Settings => ({ ...common, seed: seed * 1000 + name });

  const hub = start("coordinator");
  const address = (await hub.do("hub", settings(0), clients))!;
  const crowds = Array.from({ length: options.processes }, (_, index) => start(`clients ${index + 1}`));
  const plans = clientPlans(options);
  await Promise.all(
    crowds.map((crowd, index) => {
      const own = plans.filter((_, number) => number % crowds.length === index);
      return crowd.do("agents", settings(index + 1), own, address);
    }),
  );
  const children = [hub, ...crowds];
  const samples = await watch(children, options.minutes, log);
  await Promise.all(children.map((child) => child.do("stop")));
  const counts = (await Promise.all(children.map((child) => child.do("sample")))).map((sample) => sample?.counts ?? {});
  await Promise.all(crowds.map((crowd) => crowd.close()));
  await hub.close();
  judge.end();

  log(formatCounts(counts));
  for (const child of children) {
    const own = samples.get(child)!;
    log(`${child.name}: ${formatMemory(own)}`);
    const growth = slope(afterWarmUp(own), "rss");
    if (options.minutes >= leastMinutes && growth > mostGrowth)
      find(`${child.name}: RSS grows by ${growth.toFixed(2)} MB in 10 minutes`);
  }
}

function clientPlans({ clients, transports }: SoakOptions): ClientPlan[] {
  return Array.from({ length: clients }, (_, index) => ({
    id: `client-${index + 1}`,
    transport: transports[index % transports.length]!,
  }));
}

/** Takes samples of all processes until the time is over. */
async function watch(children: readonly Child[], minutes: number, log: (line: string) => void) {
  const samples = new Map<Child, Sample[]>(children.map((child) => [child, []]));
  const untilMs = performance.now() + minutes * 60_000;
  const everyMs = Math.min(5000, minutes * 10_000);
  for (let number = 1; performance.now() < untilMs; number += 1) {
    await pause(Math.max(0, Math.min(everyMs, untilMs - performance.now())));
    await Promise.all(
      children.map(async (child) => {
        const sample = await child.do("sample");
        if (sample !== undefined) samples.get(child)!.push(sample);
      }),
    );
    if (number % 12 === 0)
      log(children.map((child) => `${child.name} ${megabytes(samples.get(child)!.at(-1)?.rss ?? NaN)}`).join(", "));
  }
  return samples;
}

/** Without the first third. */
function afterWarmUp(samples: readonly Sample[]): Sample[] {
  return samples.slice(Math.ceil(samples.length / 3));
}

function formatMemory(samples: readonly Sample[]): string {
  const shown = Array.from({ length: 11 }, (_, tenth) => samples[Math.round((tenth / 10) * (samples.length - 1))]);
  const delays = samples.map(({ delayP99Ms }) => delayP99Ms).sort((a, b) => a - b);
  const warm = afterWarmUp(samples);
  return [
    `RSS in MB ${shown.map((sample) => Math.round((sample?.rss ?? NaN) / 1e6)).join(" ")}`,
    `slope of RSS ${slope(warm, "rss").toFixed(2)} MB in 10 min, of the heap ${slope(warm, "heap").toFixed(2)}, of what is in use outside of it ${slope(warm, "native").toFixed(2)}`,
    `heap ${megabytes(samples.at(-1)?.heap ?? NaN)}, outside ${megabytes(samples.at(-1)?.native ?? NaN)}`,
    `event loop p99 ${(delays[delays.length >> 1] ?? NaN).toFixed(0)} ms`,
  ].join("; ");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function formatCounts(all: readonly Record<string, number>[]): string {
  const total: Record<string, number> = {};
  for (const counts of all)
    for (const [what, count] of Object.entries(counts)) total[what] = (total[what] ?? 0) + count;
  const names = Object.keys(total).sort();
  return names.map((what) => `${what} ${total[what]}`).join(", ");
}

const common = {
  idleTimeoutMs: 5000,
  resumeWindowMs: 60_000,
  reconnect: { firstDelayMs: 20, maxDelayMs: 500 },
};

/** MB in 10 minutes, after the first third of the time. */
const mostGrowth = 1;
/** In less time the memory of a process says little. */
const leastMinutes = 20;
