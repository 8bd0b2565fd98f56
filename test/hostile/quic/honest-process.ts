import { createAuthority } from "../../support/certificates.ts";
import type { HonestQuestion } from "./honest-clients.ts";
import { ProgramProcess } from "./program-process.ts";
import type { VictimProcess } from "./victim-process.ts";

/** Who vouches for honest Clients, where they are asked. */
export const clientAuthority = createAuthority("honest");
const { cert, key } = clientAuthority.issue({ use: "client" });

/** The program of honest-clients.ts, running. */
export class HonestProcess {
  readonly #process: ProgramProcess;

  static async start(): Promise<HonestProcess> {
    return new HonestProcess(await ProgramProcess.start("honest-clients.ts"));
  }

  private constructor(program: ProgramProcess) {
    this.#process = program;
  }

  /** They join, and begin to transfer. */
  async join({ target }: VictimProcess): Promise<void> {
    await this.#ask({ do: "start", target, certificate: { cert, key } });
  }

  /** Resolves when so many more messages have arrived. */
  async after(count: number): Promise<void> {
    await this.#ask({ do: "after", count });
  }

  /** Messages that arrive in a millisecond, until `over`. */
  async rate(over: Promise<unknown>): Promise<number> {
    const startMs = performance.now();
    const before = await this.#ask<number>({ do: "count" });
    await over;
    const after = await this.#ask<number>({ do: "count" });
    return (after - before) / (performance.now() - startMs);
  }

  /** Resolves when everything that was sent has arrived. Rejects when something else has, or it did not arrive. */
  async finish(): Promise<void> {
    await this.#ask({ do: "finish" });
  }

  /** For when the test has failed already. */
  async giveUp(): Promise<void> {
    await this.#ask({ do: "giveUp" });
  }

  async end(): Promise<void> {
    await this.#process.end();
  }

  async #ask<T = void>(question: HonestQuestion): Promise<T> {
    return await this.#process.ask<T>(question, 30_000);
  }
}
