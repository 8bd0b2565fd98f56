/** One run: one row of the table at one workload, in three processes of its own. */

import { fork } from "node:child_process";
import { createPath } from "./network.js";
import { workloads } from "./workloads.js";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */
/** @typedef {import("./workloads.js").Amount} Amount */

const RUN_TIMEOUT_MS = 180_000;
const READY_TIMEOUT_MS = 30_000;
const ROLE_FILE = new URL("./role.js", import.meta.url);
const LOOPBACK = "127.0.0.1";

/** Every child that lives. @type {Set<ChildProcess>} */
const children = new Set();

/** Ends all that is running at once: a loop that hangs in native code answers to nothing else. */
export function killAll() {
  for (const child of children) child.kill("SIGKILL");
}

/**
 * What an end of a run is: a process, or something with its manners, such as a page.
 * @typedef {Pick<Role, "onMessage" | "workerPid" | "send" | "next" | "kill"> & { name: string }} End
 * @typedef {(name: "a" | "b", fail: (error: Error) => void) => End | Promise<End>} StartEnd
 */

/**
 * @param {import("./rows.js").Row} row
 * @param {string} workloadName
 * @param {Amount} amount
 * @param {import("./peers.js").Certificate} certificate
 * @param {{ a?: StartEnd | undefined, b?: StartEnd | undefined }} [ends] Default: processes.
 * @returns {Promise<{ figures: import("./workloads.js").Figures & { cpuA: number, cpuR: number, cpuB: number }, cpuSeconds: number }>}
 *   The workload's figures, and CPU seconds of the run from its start signal, warm-up included; `cpuSeconds` has all that
 *   its processes took. Rejects if a process failed or a check did.
 */
export async function run(row, workloadName, amount, certificate, ends = {}) {
  const workload = workloads[workloadName];
  if (workload === undefined) throw new Error(`Unknown workload: ${workloadName}`);

  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failed = new Promise((_resolve, reject) => (fail = reject));
  failed.catch(() => {});
  const limit = (/** @type {string} */ what, /** @type {number} */ ms) =>
    setTimeout(() => fail(new Error(`${what} within ${ms / 1000} s`)), ms);
  let timer = limit("Not connected", READY_TIMEOUT_MS);

  /** @type {Partial<Record<"r" | "a" | "b", End>>} */
  const all = {};
  const path = workload.path && (await createPath(workload.path, row.options.bbr ? "bbr" : "cubic"));
  const host = path?.relayHost ?? LOOPBACK;
  /** @param {End} role @param {number} port @param {string} id */
  const start = (role, port, id) => {
    const what = { role: role.name, row: row.name, workload: workloadName, amount };
    role.send({ type: "start", ...what, host, port, id, certificate });
    return role.next("ready");
  };
  const answer = async (/** @type {End} */ asking, /** @type {string} */ question) => {
    const names = question === "use of r" ? /** @type {const} */ (["r"]) : /** @type {const} */ (["a", "r", "b"]);
    const uses = names.map(async (name) => {
      const role = /** @type {End} */ (all[name]);
      role.send({ type: "use" });
      return [name, (await role.next("use")).use];
    });
    asking.send({ type: "answer", answer: Object.fromEntries(await Promise.all(uses)) });
  };

  const startProcess = (/** @type {"a" | "b"} */ name) => new Role(name, fail, name === "a" ? path?.enter : undefined);
  const steps = async () => {
    const r = (all.r = new Role("r", fail));
    const b = (all.b = await (ends.b ?? startProcess)("b", fail));
    const a = (all.a = await (ends.a ?? startProcess)("a", fail));
    for (const [from, to] of /** @type {const} */ ([
      [a, b],
      [b, a],
    ])) {
      from.onMessage = (message) => {
        if (message.type === "tell") to.send({ type: "told", value: message.value });
        else if (message.type === "ask") answer(from, message.question).catch(fail);
      };
    }
    const { port, id, pid } = await start(r, 0, "");
    r.workerPid = pid;
    await Promise.all([start(b, port, id), start(a, port, id)]);
    clearTimeout(timer);
    timer = limit("No result", RUN_TIMEOUT_MS);
    for (const role of [r, b, a]) role.send({ type: "go" });
    const [sent, received] = await Promise.all([a.next("result"), b.next("result")]);
    for (const role of [r, b, a]) role.send({ type: "finish" });
    const finished = await Promise.all([a, r, b].map((role) => role.next("finished")));
    const [cpuA, cpuR, cpuB] = finished.map(({ cpuSeconds }) => cpuSeconds);
    const cpuSeconds = finished.reduce((sum, { allCpuSeconds }) => sum + (allCpuSeconds ?? 0), path?.cpuSeconds() ?? 0);
    return { figures: { ...workload.figures(sent.result, received.result, amount), cpuA, cpuR, cpuB }, cpuSeconds };
  };
  try {
    return await Promise.race([steps(), failed]);
  } finally {
    clearTimeout(timer);
    await Promise.all(Object.values(all).map((role) => role.kill()));
    await path?.close();
  }
}

/** A child process and the messages that are awaited from it. */
class Role {
  /** What is neither awaited nor a failure. @type {(message: any) => void} */
  onMessage = () => {};
  /** A process of its own that it has started. @type {number | undefined} */
  workerPid;
  #child;
  #exited;
  /** @type {Map<string, (message: any) => void>} */
  #awaited = new Map();

  /**
   * @param {"r" | "a" | "b"} name
   * @param {(error: Error) => void} fail
   * @param {string[]} [enter] A command in front of Node's, which brings the process to its place in the network.
   */
  constructor(name, fail, enter = []) {
    this.name = name;
    const [execPath, ...execArgv] = [...enter, process.execPath];
    const child = fork(ROLE_FILE, { serialization: "advanced", execPath, execArgv });
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
      else (this.#awaited.get(message.type) ?? this.onMessage)(message);
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
    try {
      if (this.workerPid !== undefined) process.kill(this.workerPid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}
