import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "vitest";

import { Program } from "../browser/installed-example.ts";
import { freePorts } from "../docs/docs-folder.ts";
import { InstalledPackage, root } from "../support/installed-package.ts";
import { npm, pack } from "../support/packed-package.ts";

/** A section of a page of the docs that is to be followed step by step. */
export interface QuickStart {
  files: { name: string; code: string }[];
  /** The lines of each block of commands. */
  commands: string[][];
}

/** @param page its path in the repository */
export function quickStart(page: string, title: string): QuickStart {
  const sections = readFileSync(join(root, page), "utf8").split("\n## ");
  const section = sections.find((each) => each.startsWith(`${title}\n`))!;
  const blocks = [...section.matchAll(/^```(\w+)(?: (\S+))?[^\n]*\n([^]*?)^```$/gm)];
  return {
    files: blocks.flatMap(([, , name, code]) => (name === undefined ? [] : [{ name, code: code! }])),
    commands: blocks.filter(([, language]) => language === "sh").map(([, , , text]) => text!.trim().split("\n")),
  };
}

/** Somebody with an empty folder, the packed package and a quick start. To be closed. */
export class NewUser {
  readonly folder = mkdtempSync(join(tmpdir(), "conec-new-user-"));
  readonly #ports: ReadonlyMap<string, string>;
  readonly #programs: Program[] = [];

  /** @param ports that the page names: those are everybody's on this machine, so each has another one here */
  static async create(...ports: readonly string[]): Promise<NewUser> {
    const free = await freePorts(ports.length);
    return new NewUser(new Map(ports.map((port, index) => [port, String(free[index])])));
  }

  private constructor(ports: ReadonlyMap<string, string>) {
    this.#ports = ports;
  }

  /** A text of the page as it is on this machine. */
  here(text: string): string {
    return [...this.#ports].reduce((local, [port, free]) => local.replaceAll(port, free), text);
  }

  /** `npm init -y`, and `npm install` without a registry: what conec and the others need is what is installed here. */
  install(...others: readonly string[]): void {
    expect(npm(["init", "-y"], this.folder).status).toBe(0);
    const built = new InstalledPackage();
    const modules = join(this.folder, "node_modules");
    const conec = join(modules, "conec");
    mkdirSync(conec, { recursive: true });
    const tarball = pack(join(built.folder, "node_modules", "conec"));
    expect(spawnSync("tar", ["-xzf", tarball, "-C", conec, "--strip-components=1"]).status).toBe(0);
    built.remove();
    const manifest = JSON.parse(readFileSync(join(conec, "package.json"), "utf8")) as Record<string, object>;
    const needed = { ...manifest["dependencies"], ...manifest["optionalDependencies"] };
    for (const name of [...Object.keys(needed), ...others]) {
      const installed = join(root, "node_modules", name);
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      if (existsSync(installed)) symlinkSync(installed, join(modules, name), "junction");
    }
  }

  write({ files }: QuickStart): void {
    for (const { name, code } of files) writeFileSync(join(this.folder, name), this.here(code));
  }

  /** Starts a program of the folder. */
  run(path: string, ...args: string[]): Program {
    const program = new Program(join(this.folder, path), args, this.folder);
    this.#programs.push(program);
    return program;
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
