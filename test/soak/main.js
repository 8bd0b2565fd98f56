/**
 * The soak: Clients that do anything at all, with each other and the Coordinator, over connections that fail, while every byte and
 * every ending is checked.
 *
 *   npm run soak -- [--minutes 5] [--seed N] [--clients 24] [--processes 4] [--transport quic,websocket,mixed | memory]
 *   npm run soak -- --cuts 1000 --bytes 1e9 [--seed N] [--transport quic]      one transfer in both directions, cut again and again
 *
 * With `--verbose`, cuts and the like are printed as well.
 * `mixed` is a Client that has both transports. With `memory`, all are in one process. The exit code is 1 if there is anything that
 * must not be.
 */
import { parseArgs } from "node:util";
import { Soak } from "./soak.js";
import { Torture } from "./torture.js";

/** @import { TransportName } from "./ways.js" */

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    clients: { type: "string", default: "24" },
    processes: { type: "string", default: "4" },
    transport: { type: "string", default: "quic" },
    cuts: { type: "string" },
    bytes: { type: "string", default: "1e9" },
    verbose: { type: "boolean", default: false },
  },
});
const { seed, verbose: isVerbose } = values;
const transports = values.transport.split(",").map(transportOf);
const startedMs = performance.now();
/** @param {string} line */
const log = (line) => console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);

log(`seed ${seed}`);
const findings = await run();
log(`${findings.length} findings, seed ${seed}`);
process.exitCode = findings.length > 0 ? 1 : 0;

async function run() {
  if (values.cuts !== undefined) {
    const [transport] = transports;
    if (transports.length !== 1 || transport === undefined || transport === "memory")
      fail("--cuts wants one transport, not memory");
    return await new Torture({ cuts: number("cuts"), bytes: number("bytes"), seed, isVerbose, transport }, log).run();
  }
  if (transports.length > 1 && transports.includes("memory")) fail("memory does not go with other transports");
  const [minutes, clients, processes] = [number("minutes"), number("clients"), number("processes")];
  return await new Soak({ minutes, clients, processes, seed, isVerbose, transports }, log).run();
}

/** @param {"minutes" | "clients" | "processes" | "cuts" | "bytes"} name */
function number(name) {
  const value = Number(values[name]);
  if (!(value > 0)) fail(`--${name} must be a number above 0, not ${values[name]}`);
  return value;
}

/** @param {string} name @returns {TransportName} */
function transportOf(name) {
  if (name === "quic" || name === "websocket" || name === "mixed" || name === "memory") return name;
  return fail(`There is no transport ${name}: quic, websocket, mixed, memory`);
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(2);
}
