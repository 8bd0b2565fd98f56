import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The examples beside an installed conec, as a user has them: a build of its own, since the one in dist may be an old one,
 * or in the making. It is within node_modules, so that packages that conec needs are found from there.
 */
export class InstalledExample {
  readonly #folder: string;
  readonly #programs: Program[] = [];

  constructor() {
    const cache = join(root, "node_modules", ".cache");
    mkdirSync(cache, { recursive: true });
    this.#folder = mkdtempSync(join(cache, "conec-example-"));
    const conec = join(this.#folder, "node_modules", "conec");
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", join(conec, "dist")], { cwd: root });
    const bundled = spawnSync(process.execPath, [join(root, "scripts", "bundle.js"), join(conec, "dist")]);
    if (bundled.status !== 0) throw new Error(String(bundled.stderr));
    cpSync(join(root, "package.json"), join(conec, "package.json"));
    cpSync(join(root, "examples"), join(this.#folder, "examples"), { recursive: true });
  }

  /** A new folder for files. */
  folder(name: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Starts a program of the examples. */
  start(program: string, ...args: string[]): Program {
    const started = new Program(join(this.#folder, "examples", program), args);
    this.#programs.push(started);
    return started;
  }

  /** Ends what was started, and removes everything. */
  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A process, and what it has printed. */
export class Program {
  output = "";
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown[]>;
  #onOutput: () => void = () => {};

  constructor(path: string, args: string[], cwd?: string) {
    this.#child = spawn(process.execPath, [path, ...args], { cwd });
    this.#exited = once(this.#child, "exit");
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on("data", (data: Buffer) => {
        this.output += String(data);
        this.#onOutput();
      });
    }
  }

  /** Resolves when it has printed what this matches, with the match. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      const more = new Promise<void>((resolve) => (this.#onOutput = resolve));
      const exited = this.#exited.then(() => true);
      if ((await Promise.race([more, exited])) === true) {
        await new Promise(setImmediate); // its last output
        if (!pattern.test(this.output)) throw new Error(`It ended without having printed ${pattern}:\n${this.output}`);
      }
    }
  }

  /** Its exit code, once it has ended by itself. */
  async exitCode(): Promise<number | null> {
    const [code] = (await this.#exited) as [number | null];
    return code;
  }

  /** As Ctrl-C does. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
