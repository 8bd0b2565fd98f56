import { spawnSync } from "node:child_process";
import type { SpawnSyncReturns } from "node:child_process";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * What `npm pack` makes of a package that was compiled from the sources of now.
 *
 * @param folder with package.json and dist
 * @returns the path of the tarball
 */
export function pack(folder: string): string {
  for (const name of ["README.md", "LICENSE"]) cpSync(join(root, name), join(folder, name));
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  const packed = join(folder, "packed");
  mkdirSync(packed);
  const { status, stderr } = npm(["pack", "--ignore-scripts", "--pack-destination", packed], folder);
  if (status !== 0) throw new Error(stderr);
  return join(packed, readdirSync(packed)[0]!);
}

export function npm(args: string[], cwd: string): SpawnSyncReturns<string> {
  const npmScript = process.env["npm_execpath"]; // set by npm itself: the path of its script
  const [command, first] = npmScript === undefined ? ["npm", []] : [process.execPath, [npmScript]];
  return spawnSync(command, [...first, ...args], { cwd, encoding: "utf8", timeout: 120_000 });
}
