import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

import { InstalledExample, Program } from "../browser/installed-example.ts";
import { programsOf } from "./code-blocks.ts";
import type { DocsProgram } from "./code-blocks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the pages are whose blocks are programs. */
const pagePaths = [
  join(root, "README.md"),
  join(root, "docs", "scaling.md"),
  ...readdirSync(join(root, "docs", "guides"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", "guides", name)),
];

export interface DocsPage {
  name: string;
  programs: DocsProgram[];
}

export const pages: DocsPage[] = pagePaths.map((path) => ({ name: basename(path, ".md"), programs: programsOf(path) }));

export const needsBrowser = ({ programs }: DocsPage): boolean => programs.some(({ isForBrowser }) => isForBrowser);

/** The programs of all pages as files, beside an installed conec. To be closed. */
export class DocsFolder {
  /** Of the pages in a browser. */
  readonly origin: string;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #installed = new InstalledExample();
  readonly #sources = this.#installed.folder("docs");
  readonly #programs: Program[] = [];

  /** @param origin of the pages, where there are any */
  static async create(origin = "https://app.example"): Promise<DocsFolder> {
    return new DocsFolder(origin, await freePorts(pages.length));
  }

  private constructor(origin: string, ports: readonly number[]) {
    this.origin = origin;
    this.#ports = new Map(pages.map(({ name }, index) => [name, ports[index]!]));
    for (const { name, programs } of pages) {
      mkdirSync(join(this.#sources, name), { recursive: true });
      for (const { file, code } of programs) {
        writeFileSync(join(this.#sources, name, file), this.local(name, code));
      }
    }
    const compilerOptions = { noEmit: false, outDir: this.compiled(""), rootDir: ".", noUnusedLocals: false };
    const tsconfig = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["**/*"] };
    writeFileSync(join(this.#sources, "tsconfig.json"), JSON.stringify(tsconfig));
    writeFileSync(join(this.#installed.folder("."), "package.json"), `{ "type": "module" }`);
  }

  /** A text of a page as it is on this machine: with a port of its own and the hosts that are used here. */
  local(page: string, text: string): string {
    return text
      .replaceAll("4433", String(this.#ports.get(page)))
      .replaceAll("coordinator.example", "localhost")
      .replaceAll(/https:\/\/app\.example|http:\/\/localhost:5173/g, this.origin);
  }

  /** Compiles all. @returns what is wrong with them, as lines of the pages */
  compile(): string {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.json"], { cwd: this.#sources, encoding: "utf8" });
    return done.stdout.replaceAll(/^(\S+)\/(\S+)\((\d+),\d+\)/gm, "$1.md, line $3 ($2)");
  }

  /** The folder in which the compiled programs of a page run. */
  compiled(page: string): string {
    return join(this.#installed.folder("run"), page);
  }

  /** Starts a compiled program. @returns `check`, which resolves when all that it must print was printed */
  start(page: string, { file, prints }: DocsProgram): Program & { check(): Promise<void> } {
    const folder = this.compiled(page);
    const program = new Program(join(folder, file.replace(/\.ts$/, ".js")), [], folder);
    this.#programs.push(program);
    return Object.assign(program, { check: () => this.checkPrinted(page, program, prints) });
  }

  /** Fails when the program has ended without these whole lines, or by the limit of the test. */
  async checkPrinted(page: string, program: Pick<Program, "printed">, lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const literal = this.local(page, line).replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      await program.printed(new RegExp(`^${literal}$`, "m"));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    await this.#installed.close();
  }
}

/** Free for UDP and TCP, and outside of what systems give to sockets that ask for any: so nobody takes them meanwhile. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(createServer().listen(port))) && (await isFree(createSocket("udp4").bind(port)))) ports.add(port);
  }
  return [...ports];
}

async function isFree(bound: Server | Socket): Promise<boolean> {
  try {
    await once(bound, "listening");
  } catch {
    return false;
  }
  await new Promise<void>((resolve) => bound.close(() => resolve()));
  return true;
}
