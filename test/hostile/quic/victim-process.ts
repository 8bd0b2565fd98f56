import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";

import type { Figures, Question } from "./victim.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What is hung is ended from outside: a loop in the engine stops for nothing else. */
const answerMs = 10_000;

/** The program of victim.ts, running. */
export class VictimProcess {
  readonly port: number;
  /** SHA-256 of its certificate. */
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #lastId = 0;

  static async start(): Promise<VictimProcess> {
    // Inside the package, so that the engine is found.
    const folder = mkdtempSync(join(root, "node_modules", ".victim-"));
    const program = join(folder, "victim.mjs");
    const entryPoints = [fileURLToPath(new URL("victim.ts", import.meta.url))];
    const options = { bundle: true, format: "esm", platform: "node", packages: "external" } as const;
    await build({ entryPoints, outfile: program, ...options, logLevel: "silent" });
    await stop();
    const child = fork(program, {
      execArgv: ["--expose-gc"],
      // What glibc's allocator has got back, the system shall get back: else what is measured is what was once needed.
      env: { ...process.env, MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536", MALLOC_MMAP_THRESHOLD_: "65536" },
    });
    const [{ port, hash }] = (await once(child, "message")) as [{ port: number; hash: string }];
    return new VictimProcess(child, folder, port, hash);
  }

  private constructor(child: ChildProcess, folder: string, port: number, hash: string) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
    this.hash = new Uint8Array(Buffer.from(hash, "hex"));
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * How it is. Throws when it is no more, or does not answer.
   *
   * @param options.collected whether it is to collect its garbage first
   */
  async figures({ collected = false } = {}): Promise<Figures> {
    if (!this.isAlive) throw new Error(`The victim has ended: ${this.#child.exitCode ?? this.#child.signalCode}`);
    const id = (this.#lastId += 1);
    const controller = new AbortController();
    const { signal } = controller;
    const timer = setTimeout(() => controller.abort(new Error("The victim hangs")), answerMs);
    const ended = once(this.#child, "exit", { signal }).then(([code, by]) => {
      throw new Error(`The victim has ended: ${code ?? by}`);
    });
    try {
      this.#child.send({ id, collected } satisfies Question);
      return await Promise.race([this.#answerTo(id, signal), ended]);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
      controller.abort();
    }
  }

  async end(): Promise<void> {
    if (this.isAlive) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answerTo(id: number, signal: AbortSignal): Promise<Figures> {
    for (;;) {
      const [message] = (await once(this.#child, "message", { signal })) as [{ id: number; answer: Figures }];
      if (message.id === id) return message.answer;
    }
  }
}
