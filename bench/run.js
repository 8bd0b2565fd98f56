/** One run: one row of the table at one workload, in three processes of its own. */

import { fork } from "node:child_process";
import { workloads } from "./workloads.js";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */
/** @typedef {import("./workloads.js").Amount} Amount */

const RUN_TIMEOUT_MS = 120_000;
const ROLE_FILE = new URL("./role.js", import.meta.url);

/** Every child that lives. @type {Set<ChildProcess>} */
const children = new Set();

/** Ends all that is running at once: a loop that hangs in native code answers to nothing else. */
export function killAll() {
  for (const child of children) child.kill("SIGKILL");
}

/**
 * What an end of a run is: a process, or something with its manners, such as a page.
 * @typedef {Pick<Role, "onTell" | "send" | "next" | "kill"> & { name: string }} End
 * @typedef {(name: "a" | "b", fail: (error: Error) => void) => End | Promise<End>} StartEnd
 */

/**
 * @param {import("./peers.js").Row} row
 * @param {string} workloadName
 * @param {Amount} amount
 * @param {import("./peers.js").Certificate} certificate
 * @param {{ a?: StartEnd | undefined, b?: StartEnd | undefined }} [ends] Default: processes.
 * @returns {Promise<import("./workloads.js").Figures & { cpuA: number, cpuR: number, cpuB: number }>} The workload's
 *   figures and CPU seconds of the whole run, warm-up included. Rejects if a process failed or a check did.
 */
export async function run(row, workloadName, amount, certificate, ends = {}) {
  const workload = workloads[workloadName];
  if (workload === undefined) throw new Error(`Unknown workload: ${workloadName}`);

  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failed = new Promise((_resolve, reject) => (fail = reject));
  failed.catch(() => {});
  const timer = setTimeout(() => fail(new Error(`No result within ${RUN_TIMEOUT_MS / 1000} s`)), RUN_TIMEOUT_MS);

  /** @type {End[]} */
  const all = [];
  /** @param {End} role */
  const started = (role) => {
    all.push(role);
    return role;
  };
  /** @param {End} role @param {number} port */
  const start = (role, port) => {
    role.send({ type: "start", role: role.name, row: row.name, workload: workloadName, amount, port, certificate });
    return role.next("ready");
  };

  const startProcess = (/** @type {"a" | "b"} */ name) => new Role(name, fail);
  const steps = async () => {
    const r = started(new Role("r", fail));
    const b = started(await (ends.b ?? startProcess)("b", fail));
    const a = started(await (ends.a ?? startProcess)("a", fail));
    a.onTell = (value) => b.send({ type: "told", value });
    b.onTell = (value) => a.send({ type: "told", value });
    const { port } = await start(r, 0);
    await Promise.all([start(b, port), start(a, port)]);
    for (const role of [r, b, a]) role.send({ type: "go" });
    const [sent, received] = await Promise.all([a.next("result"), b.next("result")]);
    for (const role of all) role.send({ type: "finish" });
    const [cpuA, cpuR, cpuB] = await Promise.all(
      [a, r, b].map(async (role) => (await role.next("finished")).cpuSeconds),
    );
    return { ...workload.figures(sent.result, received.result, amount), cpuA, cpuR, cpuB };
  };
  try {
    return await Promise.race([steps(), failed]);
  } finally {
    clearTimeout(timer);
    await Promise.all(all.map((role) => role.kill()));
  }
}

/** A child process and the messages that are awaited from it. */
class Role {
  /** @type {(value: number) => void} */
  onTell = () => {};
  #child;
  #exited;
  /** @type {Map<string, (message: any) => void>} */
  #awaited = new Map();

  /**
   * @param {"r" | "a" | "b"} name
   * @param {(error: Error) => void} fail
   */
  constructor(name, fail) {
    this.name = name;
    const child = fork(ROLE_FILE, { serialization: "advanced" });
    this.#child = child;
    children.add(child);
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        children.delete(child);
        fail(new Error(`Process ${name.toUpperCase()} ended early (${signal ?? `code ${code}`})`));
        resolve(undefined);
      });
    });
    child.on("message", (/** @type {any} */ message) => {
      if (message.type === "failed") fail(new Error(`Process ${name.toUpperCase()}: ${message.message}`));
      else if (message.type === "tell") this.onTell(message.value);
      else this.#awaited.get(message.type)?.(message);
    });
  }

  /** @param {object} message */
  send(message) {
    if (this.#child.connected) this.#child.send(message);
  }

  /**
   * @param {string} type
   * @returns {Promise<any>}
   */
  next(type) {
    return new Promise((resolve) => this.#awaited.set(type, resolve));
  }

  async kill() {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
