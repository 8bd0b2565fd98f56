/**
 * One of the three processes of a run, started by run.js: relay R, receiver B or sender A.
 *
 * in:  start → ready, go, told → tell …, finish
 * out: ready { port }, tell { value }, result { result }, finished { cpuSeconds }, failed { message }
 */

import { rows } from "./peers.js";
import { workloads } from "./workloads.js";

/** @typedef {{ role: "r" | "a" | "b", row: string, workload: string, amount: import("./workloads.js").Amount, port: number, certificate: import("./peers.js").Certificate }} Start */

/** @type {(value: number) => void} */
let onTold = () => {};
/** @type {() => void} */
let onGo = () => {};
/** @type {NodeJS.CpuUsage} */
let cpuAtGo = { user: 0, system: 0 };

/** @type {import("./workloads.js").Other} */
const other = {
  tell: (value) => report({ type: "tell", value }),
  onTold: (listener) => void (onTold = listener),
};

process.on("message", (/** @type {any} */ message) => {
  switch (message.type) {
    case "start":
      start(message).catch(fail);
      break;
    case "go":
      cpuAtGo = process.cpuUsage();
      onGo();
      break;
    case "told":
      onTold(message.value);
      break;
    case "finish": {
      const { user, system } = process.cpuUsage(cpuAtGo);
      report({ type: "finished", cpuSeconds: (user + system) / 1e6 });
      break;
    }
  }
});
process.on("uncaughtException", fail);
// The main process is gone: nothing else would end this one.
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole process group; the main process ends its children itself.
process.on("SIGINT", () => {});

/** @param {Start} start */
async function start({ role, row: rowName, workload: workloadName, amount, port, certificate }) {
  const row = rows.find(({ name }) => name === rowName);
  const workload = workloads[workloadName];
  if (row === undefined || workload === undefined) throw new Error(`Unknown: ${rowName}, ${workloadName}`);
  const { options, wholeMessages = false } = row;
  /** @type {{ peer: import("./peers.js").Peer }} */
  const { peer } = await import(`./peers/${row.file}`);

  if (role === "r") {
    const relay = await peer.relay({ certificate, options });
    report({ type: "ready", port: relay.port });
    return;
  }
  const end = await peer.connect({ role, port, certificate, bulk: workloadName === "W1", options });
  if (role === "b") {
    const received = workload.receive(end, amount, other, wholeMessages);
    report({ type: "ready" });
    report({ type: "result", result: await received });
  } else {
    const go = new Promise((resolve) => (onGo = () => resolve(undefined)));
    report({ type: "ready" });
    await go;
    report({ type: "result", result: await workload.send(end, amount, other) });
  }
}

/** @param {unknown} error */
function fail(error) {
  report({ type: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

/** @param {object} message */
function report(message) {
  process.send?.(message);
}
