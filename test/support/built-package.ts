import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The package as compiled from the sources of now, for programs that run in a process of their own: Node cannot run the
 * sources. To be removed.
 */
export class BuiltPackage {
  /** Programs in it import `./index.js`, `./transports/quic/index.js` and so on. */
  readonly folder: string;

  constructor() {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    // Inside the package, so that its dependencies are found.
    this.folder = mkdtempSync(join(root, "node_modules", ".built-"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const args = ["-p", join(root, "tsconfig.build.json"), "--outDir", this.folder];
    spawnSync(process.execPath, [tsc, ...args, "--declaration", "false", "--declarationMap", "false"]);
    this.write("package.json", JSON.stringify({ type: "module" }));
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
