import { once } from "node:events";

import type { Target } from "./late-client.ts";
import { ProgramProcess } from "./program-process.ts";
import type { VictimProcess } from "./victim-process.ts";

/** The program of late-client.ts, running. */
export class LateClientProcess {
  readonly #process: ProgramProcess;

  static async start(): Promise<LateClientProcess> {
    const program = await ProgramProcess.start("late-client.ts");
    await once(program.child, "message");
    return new LateClientProcess(program);
  }

  private constructor(program: ProgramProcess) {
    this.#process = program;
  }

  /** Has it dial the victim and transfer something. Resolves with how long that took, in milliseconds. */
  async visit({ port, hash }: VictimProcess): Promise<number> {
    this.#process.child.send({ port, hash: Buffer.from(hash).toString("hex") } satisfies Target);
    const [{ tookMs, error }] = (await once(this.#process.child, "message")) as [{ tookMs: number; error?: string }];
    if (error !== undefined) throw new Error(error);
    return tookMs;
  }

  async end(): Promise<void> {
    await this.#process.end();
  }
}
