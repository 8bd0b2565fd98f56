import { once } from "node:events";

import { ProgramProcess } from "./program-process.ts";
import type { Figures, Question, VictimOptions } from "./victim.ts";

/** What is hung is ended from outside: a loop in the engine stops for nothing else. */
const answerMs = 10_000;

/** The program of victim.ts, running. */
export class VictimProcess {
  readonly port: number;
  /** SHA-256 of its certificate. */
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly #process: ProgramProcess;
  #lastId = 0;

  static async start(options: VictimOptions = {}): Promise<VictimProcess> {
    const program = await ProgramProcess.start("victim.ts", {
      execArgv: ["--expose-gc"],
      // What glibc's allocator has got back, the system shall get back: else what is measured is what was once needed.
      env: {
        ...process.env,
        VICTIM_OPTIONS: JSON.stringify(options),
        MALLOC_ARENA_MAX: "1",
        MALLOC_TRIM_THRESHOLD_: "65536",
        MALLOC_MMAP_THRESHOLD_: "65536",
      },
    });
    const [{ port, hash }] = (await once(program.child, "message")) as [{ port: number; hash: string }];
    return new VictimProcess(program, port, hash);
  }

  private constructor(program: ProgramProcess, port: number, hash: string) {
    this.#process = program;
    this.port = port;
    this.hash = new Uint8Array(Buffer.from(hash, "hex"));
  }

  /**
   * How it is. Throws when it is no more, or does not answer.
   *
   * @param options.collected whether it is to collect its garbage first
   */
  async figures({ collected = false } = {}): Promise<Figures> {
    const { child, isAlive } = this.#process;
    if (!isAlive) throw new Error(`The victim has ended: ${child.exitCode ?? child.signalCode}`);
    const id = (this.#lastId += 1);
    const controller = new AbortController();
    const { signal } = controller;
    const timer = setTimeout(() => controller.abort(new Error("The victim hangs")), answerMs);
    const ended = once(child, "exit", { signal }).then(([code, by]) => {
      throw new Error(`The victim has ended: ${code ?? by}`);
    });
    try {
      child.send({ id, collected } satisfies Question);
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
    await this.#process.end();
  }

  async #answerTo(id: number, signal: AbortSignal): Promise<Figures> {
    for (;;) {
      const [message] = (await once(this.#process.child, "message", { signal })) as [{ id: number; answer: Figures }];
      if (message.id === id) return message.answer;
    }
  }
}
