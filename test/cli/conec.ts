import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** What comes in on standard input; without it, its end. */
  input?: string | Uint8Array;
  /** Signals go to all processes that come of it, as from a terminal. */
  isGroup?: boolean;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/**
 * The command line as compiled from the sources of now, in a package of its own, and a home for it. It is within
 * node_modules, so that what conec needs is found from there.
 */
export class Conec {
  readonly folder: string;
  readonly main: string;
  /** The environment of everything that is started here; `useCoordinator` adds to it. */
  readonly env: Record<string, string>;
  readonly #programs: Program[] = [];

  constructor() {
    const cache = join(root, "node_modules", ".cache");
    mkdirSync(cache, { recursive: true });
    this.folder = mkdtempSync(join(cache, "conec-cli-"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = ["--declaration", "false", "--declarationMap", "false"];
    const args = [tsc, "-p", "tsconfig.build.json", "--outDir", join(this.folder, "dist"), ...options];
    const built = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.stdout);
    cpSync(join(root, "src/observe/page"), join(this.folder, "dist/observe/page"), { recursive: true });
    cpSync(join(root, "package.json"), join(this.folder, "package.json"));
    this.main = join(this.folder, "dist", "cli", "main.js");
    const home = this.newFolder("home");
    this.env = { PATH: process.env["PATH"] ?? "", HOME: home, CONEC_STATE: join(home, "state") };
  }

  newFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts `conec` with these arguments. */
  start(args: readonly string[], options: RunOptions = {}): Program {
    return this.spawn(process.execPath, [this.main, ...args], options);
  }

  /** Starts any program in the same surroundings. */
  spawn(command: string, args: readonly string[], { cwd, env, input, isGroup = false }: RunOptions = {}): Program {
    const options = { cwd: cwd ?? this.folder, env: { ...this.env, ...env }, detached: isGroup };
    const child = spawn(command, args, options);
    const program = new Program(child, isGroup);
    this.#programs.push(program);
    child.stdin.on("error", () => {}); // it may have ended
    if (input !== undefined) child.stdin.end(input);
    return program;
  }

  /** Runs `conec` to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return await this.start(args, { input: "", ...options }).ended;
  }

  /** Starts a Coordinator, which everything that is started from now on finds. */
  async useCoordinator(args: readonly string[] = [], options: RunOptions = {}): Promise<Program> {
    const coordinator = this.start(["coordinator", "--port", "0", "--host", "127.0.0.1", "--json", ...args], options);
    const listening = await coordinator.event("listening");
    this.env["CONEC_URL"] = listening["url"] as string;
    this.env["CONEC_HASH"] = listening["hash"] as string;
    return coordinator;
  }

  /** Ends what was started, and removes everything. */
  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export type Event = Record<string, unknown>;

/** A process, and what it has printed. */
export class Program {
  readonly ended: Promise<Ended>;
  readonly child: ChildProcessWithoutNullStreams;
  #stdout: Buffer[] = [];
  #stderr = "";
  readonly #isGroup: boolean;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(child: ChildProcessWithoutNullStreams, isGroup: boolean) {
    this.child = child;
    this.#isGroup = isGroup;
    child.stdout.on("data", (data: Buffer) => {
      this.#stdout.push(data);
      this.#wake();
    });
    child.stderr.on("data", (data: Buffer) => {
      this.#stderr += String(data);
      this.#wake();
    });
    this.ended = once(child, "close").then(([code]) => {
      this.#isOver = true;
      this.#wake();
      return { code: code as number | null, stdout: this.stdout, stderr: this.#stderr };
    });
  }

  get stdout(): string {
    return this.stdoutBytes.toString();
  }

  get stdoutBytes(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** Resolves with the first event of this kind, and these fields, that it prints with `--json`. */
  async event(name: string, fields: Event = {}): Promise<Event> {
    return await this.#find(`the event ${name} ${JSON.stringify(fields)}`, () => {
      const lines = this.stdout.split("\n").slice(0, -1);
      const events = lines.map((line) => JSON.parse(line) as Event);
      return events.find(
        (event) => event["event"] === name && Object.entries(fields).every(([key, value]) => event[key] === value),
      );
    });
  }

  /** Resolves when it has printed what this matches, on stdout or stderr. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#find(String(pattern), () => pattern.exec(`${this.stdout}\n${this.#stderr}`) ?? undefined);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#isGroup) process.kill(-this.child.pid!, signal);
    else this.child.kill(signal);
  }

  async end(): Promise<void> {
    if (!this.#isOver) this.kill("SIGKILL");
    await this.ended;
  }

  async #find<T>(what: string, look: () => T | undefined): Promise<T> {
    for (;;) {
      const more = new Promise<void>((resolve) => (this.#wake = resolve));
      const found = look();
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`It ended without ${what}:\n${this.stdout}\n${this.#stderr}`);
      await more;
    }
  }
}

/** The lines of an output with `--json`; fails when one is none. */
export function eventsOf({ stdout }: Pick<Ended, "stdout">): Event[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event);
}
