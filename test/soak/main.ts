/**
 * The soak: see scripts/soak.js, which starts it.
 *
 *   --minutes 10 [--clients 24] [--processes 4] [--transport quic,quic,quic,websocket]
 *   --cuts 1000 --bytes 1e9 [--transport quic]    how often, and how many bytes in each direction
 *   --seed N                                      what is chosen at random follows from it, not what comes first
 *
 * The exit code is 1 if anything is found that must not be.
 */
import { parseArgs } from "node:util";
import { soak } from "./soak.ts";
import { torture } from "./torture.ts";
import type { TransportName } from "./way.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    clients: { type: "string", default: "24" },
    processes: { type: "string", default: "4" },
    transport: { type: "string" },
    cuts: { type: "string" },
    bytes: { type: "string", default: "1e9" },
  },
});
const startedMs = performance.now();
let found = 0;

const log = (line: string): void =>
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
const find = (finding: string): void => {
  found += 1;
  // One fault has many consequences.
  if (found <= 100) log(`FOUND ${finding}`);
};

const seed = number("seed", 0);
log(`seed ${seed}, Node ${process.version}`);
try {
  await run();
} catch (error) {
  find(String(error));
}
log(found === 0 ? `PASSED, seed ${seed}` : `FAILED: ${found} findings, seed ${seed}`);
process.exit(found === 0 ? 0 : 1);

async function run(): Promise<void> {
  if (values.cuts === undefined) {
    const transports = (values.transport ?? "quic,quic,quic,websocket").split(",").map(transportOf);
    const [minutes, clients, processes] = [number("minutes"), number("clients"), number("processes")];
    await soak({ minutes, seed, clients, processes, transports }, { log, find });
  } else {
    const transport = transportOf(values.transport ?? "quic");
    await torture({ cuts: number("cuts"), bytes: number("bytes"), seed, transport }, { log, find });
  }
}

function number(
  name: "minutes" | "seed" | "clients" | "processes" | "cuts" | "bytes",
  above = Number.MIN_VALUE,
): number {
  const value = Number(values[name]);
  return value >= above ? value : fail(`--${name} must be a number above 0, not ${values[name]}`);
}

function transportOf(name: string): TransportName {
  return name === "quic" || name === "websocket" ? name : fail(`There is no transport ${name}: quic, websocket`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
