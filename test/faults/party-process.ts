import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync, stop } from "esbuild";

import type { Namespace } from "../support/network/namespaces.js";
import { resultOf } from "./calls.ts";
import type { Answer, Call } from "./calls.ts";
import type { ClientParty } from "./client-party.ts";
import type { CoordinatorParty } from "./coordinator-party.ts";

/** Somebody who does what a party can do, elsewhere. */
export interface Remote<Party> {
  /** @throws what the method throws, a ConecError as one */
  call<Method extends keyof Party & string>(
    method: Method,
    ...args: Party[Method] extends (...args: infer Args) => unknown ? Args : never
  ): Promise<Party[Method] extends (...args: never[]) => infer Result ? Awaited<Result> : never>;
}

/** A Client under test that may be hurt. */
export interface RemoteClient extends Remote<ClientParty> {
  /** Ends it at once, without a last word (SIGKILL). */
  kill(): Promise<void>;
  /** Stops it where it is, until `resume` (SIGSTOP, SIGCONT). */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface StartOptions {
  /** Where it is to run. Default: with this process. */
  namespace?: Namespace | undefined;
  /** How many files it may have open. */
  maxOpenFiles?: number | undefined;
}

type PartyKind = "coordinator" | "client";

/** It takes longer to start a process than most rows take, and most rows leave the machine idle meanwhile. */
const spareCount = 2;

/** A party in a process of its own, on the Node of this one. */
export class PartyProcess<Party> implements Remote<Party> {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  #lastCall = 0;

  static async coordinator(options?: StartOptions): Promise<PartyProcess<CoordinatorParty>> {
    return await PartyProcess.#take("coordinator", options);
  }

  static async client(options?: StartOptions): Promise<PartyProcess<ClientParty>> {
    return await PartyProcess.#take("client", options);
  }

  /** Gives one that has been started before, if there is, and has others started for whoever comes next. */
  static async #take<Party>(kind: PartyKind, options?: StartOptions): Promise<PartyProcess<Party>> {
    if (options !== undefined) return await PartyProcess.#start(kind, options);
    const spares = PartyProcess.#spares[kind];
    while (spares.length <= spareCount) spares.push(PartyProcess.#start(kind));
    return (await spares.shift()) as PartyProcess<Party>;
  }

  /** When no more are to be started. */
  static async removeAll(): Promise<void> {
    const spares = Object.values(PartyProcess.#spares).flatMap((each) => each.splice(0));
    await Promise.all(spares.map(async (spare) => await (await spare).kill()));
    await removeProgram();
  }

  static readonly #spares: Record<PartyKind, Promise<PartyProcess<unknown>>[]> = { coordinator: [], client: [] };

  static async #start<Party>(kind: PartyKind, options: StartOptions = {}): Promise<PartyProcess<Party>> {
    const { namespace, maxOpenFiles } = options;
    const command = [process.execPath, programPath(), kind];
    const limited =
      maxOpenFiles === undefined ? command : ["sh", "-c", `ulimit -n ${maxOpenFiles}; exec "$@"`, "sh", ...command];
    const [file, ...args] = limited as [string, ...string[]];
    const spawning = {
      serialization: "advanced" as const,
      stdio: ["ignore" as const, "inherit" as const, "inherit" as const, "ipc" as const],
    };
    const child = namespace === undefined ? spawn(file, args, spawning) : namespace.spawn(file, args, spawning);
    await once(child, "spawn");
    return new PartyProcess<Party>(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ id, answer }: { id: number; answer: Answer }) => {
      this.#calls.get(id)?.resolve(answer);
      this.#calls.delete(id);
    });
    child.once("exit", (code, signal) => {
      const error = new Error(`The process has ended (${signal ?? code})`);
      for (const { reject } of this.#calls.values()) reject(error);
      this.#calls.clear();
    });
  }

  call: Remote<Party>["call"] = async (method, ...args) => {
    const id = (this.#lastCall += 1);
    const call: Call = { method, args };
    const answered = new Promise<Answer>((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    this.#child.send({ id, call }, (error) => error && this.#calls.get(id)?.reject(error));
    // oxlint-disable-next-line typescript/no-explicit-any -- what a method gives is known to its caller only
    return resultOf(await answered) as any;
  };

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    if (!this.isAlive) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async close(): Promise<void> {
    await this.kill();
  }
}

let program: { path: string; folder: string } | undefined;

async function removeProgram(): Promise<void> {
  if (program !== undefined) rmSync(program.folder, { recursive: true, force: true });
  program = undefined;
  // buildSync too has a process that stays.
  await stop();
}

/** Path of the program, made of the sources of now. It lies within the package, where its dependencies are found. */
function programPath(): string {
  program ??= buildProgram();
  return program.path;
}

function buildProgram(): { path: string; folder: string } {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const folder = mkdtempSync(join(root, "node_modules", ".faults-"));
  const path = join(folder, "program.mjs");
  const entry = fileURLToPath(new URL("process-program.ts", import.meta.url));
  // Not `build`: that one's service is shared with whoever else bundles here, and stopped by whoever is done first.
  buildSync({
    entryPoints: [entry],
    outfile: path,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    sourcemap: "inline",
  });
  return { path, folder };
}
