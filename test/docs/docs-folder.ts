import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

import { InstalledExample, Program } from "../browser/installed-example.ts";
import { programsOf } from "./code-blocks.ts";
import type { DocsProgram } from "./code-blocks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the pages are whose blocks are programs. */
export const pagePaths = [
  join(root, "README.md"),
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
  readonly #places: Readonly<Record<string, string>>;
  readonly #installed = new InstalledExample();
  readonly #sources = this.#installed.folder("docs");
  readonly #programs: Program[] = [];

  /** @param origin of the pages, where there are any */
  static async create(origin = "https://app.example"): Promise<DocsFolder> {
    return new DocsFolder(origin, await freePort());
  }

  private constructor(origin: string, port: number) {
    this.origin = origin;
    this.#places = { "4433": String(port), "coordinator.example": "localhost", "https://app.example": origin };
    for (const { name, programs } of pages) {
      mkdirSync(join(this.#sources, name), { recursive: true });
      for (const { file, code } of programs) {
        writeFileSync(join(this.#sources, name, file), this.local(code));
      }
    }
    const compilerOptions = { noEmit: false, outDir: this.compiled(""), rootDir: ".", noUnusedLocals: false };
    const tsconfig = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["**/*"] };
    writeFileSync(join(this.#sources, "tsconfig.json"), JSON.stringify(tsconfig));
    writeFileSync(join(this.#installed.folder("."), "package.json"), `{ "type": "module" }`);
  }

  /** A text of the docs as it is on this machine: with the port and the hosts that are used here. */
  local(text: string): string {
    return Object.entries(this.#places).reduce((local, [shown, used]) => local.replaceAll(shown, used), text);
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

  start(page: string, { file }: DocsProgram): Program {
    const folder = this.compiled(page);
    const program = new Program(join(folder, file.replace(/\.ts$/, ".js")), [], folder);
    this.#programs.push(program);
    return program;
  }

  /** Ends what runs. */
  async end(): Promise<void> {
    await Promise.all(this.#programs.splice(0).map((program) => program.end()));
  }

  async close(): Promise<void> {
    await this.end();
    await this.#installed.close();
  }
}

/** Of TCP; that of UDP is most likely free as well. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
