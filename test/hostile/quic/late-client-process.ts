import { ProgramProcess } from "./program-process.ts";
import type { VictimProcess } from "./victim-process.ts";

/** The program of late-client.ts, running. */
export class LateClientProcess {
  readonly #process: ProgramProcess;

  static async start(): Promise<LateClientProcess> {
    return new LateClientProcess(await ProgramProcess.start("late-client.ts"));
  }

  private constructor(program: ProgramProcess) {
    this.#process = program;
  }

  /** Has it dial the victim and transfer something. Resolves with how long that took, in milliseconds. */
  async visit({ target }: VictimProcess): Promise<number> {
    return await this.#process.ask<number>(target, 30_000);
  }

  async end(): Promise<void> {
    await this.#process.end();
  }
}
