/**
 * One of the three processes of a run, started by run.js: relay R, receiver B or sender A.
 *
 * in:  start → ready, go, told → tell …, use → use, answer, finish
 * out: ready { port, id }, tell { value }, ask { question }, use { use }, result { result }, finished { cpuSeconds },
 *      failed { message }
 */

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { secondsOf } from "./machine.js";
import { loadPeer } from "./peers.js";
import { rows } from "./rows.js";
import { sleep } from "./workloads/clock.js";
import { workloads } from "./workloads.js";

/** @typedef {import("./workloads.js").RelayUse} Use */
/** @typedef {{ role: "r" | "a" | "b", row: string, workload: string, amount: import("./workloads.js").Amount, host: string, port: number, id: string, certificate: import("./peers.js").Certificate }} Start */

setFlagsFromString("--expose-gc");
/** @type {() => void} */
const collectGarbage = runInNewContext("gc");
const PAGE_BYTES = 4096;

/** @type {number[]} */
const toldBefore = [];
/** @type {(value: number) => void} */
let onTold = (value) => void toldBefore.push(value);
/** @type {() => void} */
let onGo = () => {};
/** @type {((answer: any) => void)[]} In the order of the questions. */
const asked = [];
/** The process that does a relay's work, where it is not this one. @type {number | undefined} */
let workerPid;
let cpuSecondsAtGo = 0;

process.on("message", (/** @type {any} */ message) => {
  switch (message.type) {
    case "start":
      start(message).catch(fail);
      break;
    case "go":
      cpuSecondsAtGo = cpuSeconds();
      onGo();
      break;
    case "told":
      onTold(message.value);
      break;
    case "use":
      use().then((use) => report({ type: "use", use }), fail);
      break;
    case "answer":
      asked.shift()?.(message.answer);
      break;
    case "finish":
      report({ type: "finished", cpuSeconds: cpuSeconds() - cpuSecondsAtGo, allCpuSeconds: cpuSeconds() });
      break;
  }
});
process.on("uncaughtException", fail);
// The main process is gone: nothing else would end this one.
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole process group; the main process ends its children itself.
process.on("SIGINT", () => {});

/** @param {Start} start */
async function start({ role, row: rowName, workload: workloadName, amount, host, port, id, certificate }) {
  const row = rows.find(({ name }) => name === rowName);
  const workload = workloads[workloadName];
  if (row === undefined || workload === undefined) throw new Error(`Unknown: ${rowName}, ${workloadName}`);
  const { options, wholeMessages = false } = row;
  const { bulk = false, fanOut = false } = workload;
  const peer = await loadPeer(row.file);

  if (role === "r") {
    const relay = await peer.relay({ certificate, host, fanOut, options });
    workerPid = relay.pid;
    report({ type: "ready", port: relay.port, id: relay.id ?? "", pid: relay.pid });
    return;
  }
  const connect = (/** @type {number} */ pair) =>
    peer.connect({ role, pair, host, port, id, certificate, bulk, fanOut, options });
  /** @type {import("./workloads.js").Context} */
  const context = {
    tell: (value) => report({ type: "tell", value }),
    onTold(listener) {
      onTold = listener;
      for (const value of toldBefore.splice(0)) listener(value);
    },
    connect,
    relayUse: async () => (await ask("use of r")).r,
    async residentBytes() {
      const { a, r, b } = await ask("use of all");
      return { a: a.residentBytes, r: r.residentBytes, b: b.residentBytes };
    },
    wholeMessages,
  };
  const end = await connect(0);
  if (role === "b") {
    const received = workload.receive(end, amount, context);
    report({ type: "ready" });
    report({ type: "result", result: await received });
  } else {
    const go = new Promise((resolve) => (onGo = () => resolve(undefined)));
    report({ type: "ready" });
    await go;
    report({ type: "result", result: await workload.send(end, amount, context) });
  }
}

/**
 * @param {"use of r" | "use of all"} question
 * @returns {Promise<Record<"a" | "r" | "b", Use>>}
 */
function ask(question) {
  report({ type: "ask", question });
  return new Promise((resolve) => asked.push(resolve));
}

/** @returns {Promise<Use>} */
async function use() {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await sleep(20);
  }
  return { residentBytes: residentBytes(), cpuSeconds: cpuSeconds() };
}

function residentBytes() {
  if (workerPid === undefined) return process.memoryUsage.rss();
  return Number(readFileSync(`/proc/${workerPid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}

function cpuSeconds() {
  if (workerPid !== undefined) return secondsOf(workerPid);
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** @param {unknown} error */
function fail(error) {
  report({ type: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

/** @param {object} message */
function report(message) {
  process.send?.(message);
}
