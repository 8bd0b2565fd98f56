import { fork } from "node:child_process";
import type { ChildProcess, ForkOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A program of this folder, bundled, in a process of its own. */
export class ProgramProcess {
  readonly child: ChildProcess;
  readonly #folder: string;

  static async start(file: string, options: ForkOptions = {}): Promise<ProgramProcess> {
    // Inside the package, so that the engine is found.
    const folder = mkdtempSync(join(root, "node_modules", ".program-"));
    const program = join(folder, "program.mjs");
    const entryPoints = [fileURLToPath(new URL(file, import.meta.url))];
    const how = { bundle: true, format: "esm", platform: "node", packages: "external" } as const;
    await build({ entryPoints, outfile: program, ...how, logLevel: "silent" });
    await stop();
    return new ProgramProcess(fork(program, options), folder);
  }

  private constructor(child: ChildProcess, folder: string) {
    this.child = child;
    this.#folder = folder;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(): Promise<void> {
    if (this.isAlive) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
