import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The folder of a project that has installed conec, as compiled from the sources of now. It is within node_modules, so that
 * what conec needs is found from there. To be removed.
 */
export class InstalledPackage {
  readonly folder: string;

  constructor() {
    const cache = join(root, "node_modules", ".cache");
    mkdirSync(cache, { recursive: true });
    this.folder = mkdtempSync(join(cache, "conec-installed-"));
    const conec = join(this.folder, "node_modules", "conec");
    mkdirSync(conec, { recursive: true });
    cpSync(join(root, "package.json"), join(conec, "package.json"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    this.#run(tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", join(conec, "dist"));
    this.#run(join(root, "scripts", "bundle.js"), join(conec, "dist"));
    this.write("package.json", JSON.stringify({ type: "module" }));
  }

  #run(...args: string[]): void {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
  }

  /** Adds a file, returns its path. */
  write(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
