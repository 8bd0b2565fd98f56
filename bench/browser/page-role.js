/**
 * An end of a run in a page: what role.js is in a process, for workload W1. pages.js calls `start` and `go`, and is told
 * through `report`.
 */
import { workloads } from "../workloads.js";

/** @typedef {import("../peers.js").ConnectOptions} ConnectOptions */
/** @typedef {import("../workloads.js").Amount} Amount */
/** @typedef {{ role: "a" | "b", file: string, workload: string, amount: Amount, port: number, hash: number[] }} Start */

const page = /** @type {{ report: (message: object) => void, start?: unknown, go?: unknown }} */ (
  /** @type {unknown} */ (globalThis)
);

/** @type {() => void} */
let onGo = () => {};
page.go = () => onGo();

page.start = (/** @type {Start} */ start) => {
  run(start).catch((error) => page.report({ type: "failed", message: String(error?.stack ?? error) }));
};

/** @param {Start} start */
async function run({ role, file, workload: name, amount, port, hash }) {
  const workload = workloads[name];
  if (workload === undefined) throw new Error(`Unknown workload: ${name}`);
  /** @type {{ connect: (options: { role: "a" | "b", port: number, hash: Uint8Array<ArrayBuffer> }) => Promise<any> }} */
  const peer = await import(`./peers/${file}`);
  const end = await peer.connect({ role, port, hash: Uint8Array.from(hash) });
  const notInPages = () => Promise.reject(new Error("Only W1 runs in pages"));
  /** @type {import("../workloads.js").Context} */
  const context = {
    tell: () => {},
    onTold: () => {},
    connect: notInPages,
    relayUse: notInPages,
    residentBytes: notInPages,
    wholeMessages: true,
  };
  if (role === "b") {
    const received = workload.receive(end, amount, context);
    page.report({ type: "ready" });
    page.report({ type: "result", result: await received });
  } else {
    const go = new Promise((resolve) => (onGo = () => resolve(undefined)));
    page.report({ type: "ready" });
    await go;
    page.report({ type: "result", result: await workload.send(end, amount, context) });
  }
}
