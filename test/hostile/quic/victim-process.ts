import { ProgramProcess } from "./program-process.ts";
import type { Target } from "./target.ts";
import type { Figures, VictimOptions, VictimQuestion } from "./victim.ts";

/** The program of victim.ts, running. */
export class VictimProcess {
  readonly target: Target;
  readonly #process: ProgramProcess;

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
    return new VictimProcess(program);
  }

  private constructor(program: ProgramProcess) {
    this.#process = program;
    this.target = program.ready as Target;
  }

  get port(): number {
    return this.target.port;
  }

  /**
   * How it is. Throws when it is no more, or does not answer.
   *
   * @param options.collected whether it is to collect its garbage first
   */
  async figures({ collected = false } = {}): Promise<Figures> {
    return await this.#process.ask<Figures>({ collected } satisfies VictimQuestion);
  }

  async end(): Promise<void> {
    await this.#process.end();
  }
}
