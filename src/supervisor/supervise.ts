// SPDX-License-Identifier: Apache-2.0
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { ConecError } from "../core/errors.ts";
import { heartbeatIntervalMs, heartbeatMessage } from "./heartbeat-message.ts";
import { RestartDelay } from "./restart-delay.ts";

/** What {@link supervise} takes. */
export interface SuperviseOptions {
  /** Arguments of the program. */
  args?: readonly string[];
  /** Its environment. Default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /** How long its event loop may stand still before it is killed and started again, in milliseconds. Default 1500. */
  hungAfterMs?: number;
  /** How long it may take until its event loop turns, in milliseconds: it may be busy with loading. Default 10000. */
  startTimeoutMs?: number;
  /** How long it may take to end after {@link Supervisor.close}, before it is killed, in milliseconds. Default 15000. */
  closeTimeoutMs?: number;
  /** Told what happens. What it throws is an uncaught exception. */
  onEvent?: (event: SupervisorEvent) => void;
}

/** What becomes of the process that is watched. */
export type SupervisorEvent =
  /** It runs: its event loop turns. From here on it is watched. */
  | { type: "started"; pid: number }
  /** Its event loop stands still; it is killed. */
  | { type: "hung"; pid: number }
  /** It has ended, by an exit code or a signal. `restartInMs` is absent when it is not started again. */
  | { type: "ended"; pid: number; code: number | null; signal: NodeJS.Signals | null; restartInMs?: number };

/** A process that is kept running. */
export interface Supervisor extends AsyncDisposable {
  /** Of the running process, if one is running. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended by itself with exit code 0, or was closed. */
  readonly closed: Promise<void>;
  /** Sends SIGTERM, waits for the process to end, kills it after `closeTimeoutMs`. It is not started again. */
  close(): Promise<void>;
}

/**
 * Runs a Node program, such as a Coordinator, in a process of its own, and starts it again when it has died or its event
 * loop stands still: within 2 s with the default options, then with growing pauses (up to 30 s, at random) while it does
 * not stay up for 10 s. The program needs no change. Clients of a Coordinator that listens on the same port with the same
 * `key` learn of the restart with the next packet that they send (RFC 9000, section 10.3).
 *
 * @param program path or file URL of its main module
 * @throws ConecError `invalid-argument`
 * @example
 * ```ts
 * const supervisor = supervise(new URL("./coordinator.js", import.meta.url), { onEvent: console.log });
 * process.once("SIGTERM", () => void supervisor.close());
 * await supervisor.closed;
 * ```
 */
export function supervise(program: string | URL, options: SuperviseOptions = {}): Supervisor {
  const { hungAfterMs = 1500, startTimeoutMs = 10_000, closeTimeoutMs = 15_000 } = options;
  assertMs("hungAfterMs", hungAfterMs, 2 * heartbeatIntervalMs);
  assertMs("startTimeoutMs", startTimeoutMs, 1);
  assertMs("closeTimeoutMs", closeTimeoutMs, 0);
  const path = program instanceof URL ? fileURLToPath(program) : program;
  return new ProcessSupervisor(path, { ...options, hungAfterMs, startTimeoutMs, closeTimeoutMs });
}

type Settings = SuperviseOptions &
  Required<Pick<SuperviseOptions, "hungAfterMs" | "startTimeoutMs" | "closeTimeoutMs">>;

class ProcessSupervisor implements Supervisor {
  readonly closed: Promise<void>;
  readonly #program: string;
  readonly #settings: Settings;
  readonly #delay = new RestartDelay();
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #closing = false;
  #settleClosed!: () => void;

  constructor(program: string, settings: Settings) {
    this.#program = program;
    this.#settings = settings;
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined) this.#settleClosed();
    else {
      child.kill("SIGTERM");
      const limit = setTimeout(() => child.kill("SIGKILL"), this.#settings.closeTimeoutMs);
      void this.closed.then(() => clearTimeout(limit));
    }
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #start(): void {
    const { args = [], env = process.env, hungAfterMs, startTimeoutMs } = this.#settings;
    const startedMs = performance.now();
    const execArgv = [...process.execArgv, "--import", new URL("./heartbeat.js", import.meta.url).href];
    const child = fork(this.#program, args, { env, execArgv });
    this.#child = child;
    const hung = (): void => {
      this.#tell({ type: "hung", pid: child.pid! });
      child.kill("SIGKILL");
    };
    let watch = setTimeout(hung, startTimeoutMs);
    let beats = 0;
    child.on("message", (message) => {
      if (message !== heartbeatMessage) return;
      beats += 1;
      // The first beat comes before the program is loaded, which may take a while.
      if (beats === 1) return;
      if (beats === 2) this.#tell({ type: "started", pid: child.pid! });
      clearTimeout(watch);
      watch = setTimeout(hung, hungAfterMs);
    });
    let over = false;
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (over) return;
      over = true;
      clearTimeout(watch);
      this.#ended(child, performance.now() - startedMs, code, signal);
    };
    child.once("exit", ended);
    child.once("error", () => ended(null, null));
  }

  #ended({ pid = 0 }: ChildProcess, livedMs: number, code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    const event = { type: "ended" as const, pid, code, signal };
    if (this.#closing || code === 0) {
      this.#closing = true;
      this.#settleClosed();
      return this.#tell(event);
    }
    const restartInMs = this.#delay.next(livedMs, Math.random());
    this.#restartTimer = setTimeout(() => this.#start(), restartInMs);
    this.#tell({ ...event, restartInMs });
  }

  #tell(event: SupervisorEvent): void {
    this.#settings.onEvent?.(event);
  }
}

function assertMs(name: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least && value < 2 ** 31) return;
  throw new ConecError("invalid-argument", `${name} must be a number of milliseconds, at least ${least}`);
}
