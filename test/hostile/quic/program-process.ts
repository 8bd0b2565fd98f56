import { fork } from "node:child_process";
import type { ChildProcess, ForkOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";

import type { Answer, Question } from "./answering.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What is hung is ended from outside: a loop in the engine stops for nothing else. */
const answerMs = 10_000;

/** A program of this folder, bundled, in a process of its own. */
export class ProgramProcess {
  /** What it said when it was ready. */
  readonly ready: unknown;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #lastId = 0;

  /** @param file starts with a call of `answering` */
  static async start(file: string, options: ForkOptions = {}): Promise<ProgramProcess> {
    // Inside the package, so that the engine is found.
    const folder = mkdtempSync(join(root, "node_modules", ".program-"));
    const program = join(folder, "program.mjs");
    const entryPoints = [fileURLToPath(new URL(file, import.meta.url))];
    const how = { bundle: true, format: "esm", platform: "node", packages: "external" } as const;
    await build({ entryPoints, outfile: program, ...how, logLevel: "silent" });
    await stop();
    const child = fork(program, options);
    // There is one of these for each question under way.
    child.setMaxListeners(100);
    const [ready] = (await once(child, "message")) as [unknown];
    return new ProgramProcess(file, ready, child, folder);
  }

  private constructor(name: string, ready: unknown, child: ChildProcess, folder: string) {
    this.#name = name;
    this.ready = ready;
    this.#child = child;
    this.#folder = folder;
  }

  /** Rejects with the program's error, when it has ended, or when it does not answer in time. */
  async ask<T>(question: unknown, limitMs = answerMs): Promise<T> {
    if (!this.#isAlive) throw this.#ended();
    const child = this.#child;
    const id = (this.#lastId += 1);
    return await new Promise<T>((resolve, reject) => {
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        child.off("message", heard);
        child.off("exit", exited);
        then();
      };
      const heard = (message: Answer<T>): void => {
        if (message.id !== id) return;
        if ("error" in message) settle(() => reject(new Error(message.error)));
        else settle(() => resolve(message.answer));
      };
      const exited = (): void => settle(() => reject(this.#ended()));
      const timer = setTimeout(() => settle(() => reject(new Error(`${this.#name} hangs`))), limitMs);
      child.on("message", heard);
      child.on("exit", exited);
      child.send({ id, question } satisfies Question<unknown>);
    });
  }

  async end(): Promise<void> {
    if (this.#isAlive) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #ended(): Error {
    return new Error(`${this.#name} has ended: ${this.#child.exitCode ?? this.#child.signalCode}`);
  }
}
