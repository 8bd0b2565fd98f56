/** `npm run check`: everything but the tests. Runs all steps; one line each, and the output of those that failed. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * In this order, because examples and bench import the built package, so what looks at types needs dist.
 *
 * @type {[name: string, run: () => string | undefined][]} `run` returns the output of a failure.
 */
const steps = [
  ["format", tool("prettier", "--check", ".")],
  ["licence headers", licenceHeaders],
  ["lock file", () => script("complete-lock.js", "--check")],
  ["build", cleanBuild],
  ["API reference", () => script("api-docs.js")],
  ["lint", tool("oxlint", "--type-aware", "--deny-warnings")],
  ["types", tool("tsc", "-p", "tsconfig.json")],
  ["types without Node", tool("tsc", "-p", "tsconfig.portable.json")],
  ["unused", tool("knip", "--no-progress")],
  ["publint", tool("publint", "run", "--strict", "--pack", "npm")],
  ["attw", tool("attw", "--pack", ".", "--profile", "esm-only", "--no-definitely-typed", "--no-emoji", "--no-color")],
];

let failed = 0;
for (const [name, run] of steps) {
  const output = run();
  console.log(`${name}: ${output === undefined ? "ok" : "failed"}`);
  if (output === undefined) continue;
  failed++;
  console.log(output.trimEnd().replaceAll(/^(?=.)/gm, "  "));
}
process.exitCode = failed > 0 ? 1 : 0;

/** Every file that is published as source says its licence at the top. */
function licenceHeaders() {
  const without = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => !readFileSync(path, "utf8").slice(0, 100).includes("SPDX-License-Identifier: Apache-2.0"));
  return without.length === 0 ? undefined : without.join("\n");
}

function cleanBuild() {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  return tool("tsc", "-p", "tsconfig.build.json")() ?? script("bundle.js");
}

/**
 * @param {string} name A file beside this one.
 * @param {...string} args
 */
function script(name, ...args) {
  const done = spawnSync(process.execPath, [join(root, "scripts", name), ...args], { encoding: "utf8" });
  return done.status === 0 ? undefined : `${done.stdout}${done.stderr}`;
}

/**
 * @param {string} name A command of node_modules/.bin.
 * @param {...string} args
 */
function tool(name, ...args) {
  return () => {
    const windows = process.platform === "win32";
    const command = join(root, "node_modules", ".bin", windows ? `${name}.cmd` : name);
    const env = { ...process.env, NO_COLOR: "1" };
    const done = spawnSync(command, args, { cwd: root, encoding: "utf8", env, shell: windows });
    if (done.status === 0) return undefined;
    return `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}` || `exit code ${done.status}`;
  };
}
