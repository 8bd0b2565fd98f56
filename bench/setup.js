/** What has to be so before the first run: the Node asked for, the packages of the peers, a network of its own. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { install, isInstalled } from "./machine.js";
import { isIsolated, isolate, pathMissing } from "./network.js";
import { workloads } from "./workloads.js";

const CURRENT_NODE = "test/current-node/";
const ON_CURRENT_NODE = "CONEC_BENCH_ON_CURRENT_NODE";

/** Whether this process was started by `useCurrentNode`. */
export const isOnCurrentNode = process.env[ON_CURRENT_NODE] === "1";

/**
 * Runs this program once more, on the Node of test/current-node, and ends with its exit code.
 * @returns {string} Why that is not possible. Does not return where it is.
 */
export function useCurrentNode() {
  const folder = new URL(`../${CURRENT_NODE}`, import.meta.url);
  /** @type {{ optionalDependencies: Record<string, string> }} */
  const { optionalDependencies } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  const windows = process.platform === "win32";
  const platform = `${windows ? "win" : process.platform}-${process.arch}`;
  const name = Object.keys(optionalDependencies).find((each) => each.endsWith(`-${platform}`));
  if (name === undefined) return `${CURRENT_NODE} has none for ${platform}`;
  const node = fileURLToPath(new URL(`node_modules/${name}/bin/node${windows ? ".exe" : ""}`, folder));
  if (!existsSync(node)) {
    const problem = install(CURRENT_NODE);
    if (!existsSync(node)) return `${name} could not be installed in ${CURRENT_NODE}. ${problem}`;
  }
  process.on("SIGINT", () => {}); // reaches the child too
  const env = { ...process.env, [ON_CURRENT_NODE]: "1" };
  const { status } = spawnSync(node, process.argv.slice(1), { stdio: "inherit", env });
  process.exit(status ?? 1);
}

/**
 * Installs the packages of the rows and enters a network of its own, as far as that is possible; in the latter case it
 * does not return, as the program starts anew there.
 * @param {import("./rows.js").Row[]} rows
 * @param {string[]} workloadNames
 * @param {boolean} mtu1500
 * @returns {Promise<{ rows: Record<string, string>, workloads: Record<string, string> }>} Why some cannot run.
 */
export async function prepare(rows, workloadNames, mtu1500) {
  const needPath = workloadNames.some((name) => workloads[name]?.path !== undefined);
  const packages = [...rows.flatMap((row) => row.packages ?? []), ...(needPath ? ["koffi"] : [])];
  let problem = "";
  if (!isIsolated) {
    if (packages.some((name) => !isInstalled(name))) {
      console.log("Installing the packages of bench/peers/packages");
      problem = install("bench/peers/packages/");
    }
    const notIsolated = await isolate(mtu1500 ? 1500 : 65_536);
    if (mtu1500) throw new Error(`--mtu1500: ${notIsolated}`);
    console.log(`Not in a network of its own: ${notIsolated}`);
  }
  /** @type {Record<string, string>} */
  const missing = {};
  for (const { name, packages = [], program, isolated } of rows) {
    const lacking = packages.filter((each) => !isInstalled(each));
    if (lacking.length > 0)
      missing[name] = `${lacking.join(", ")} not installed in bench/peers/packages. ${problem}`.trim();
    else if (program !== undefined && spawnSync(program, ["--version"]).status !== 0)
      missing[name] = `${program} is not installed; on Debian: apt-get install ${program}`;
    else if (isolated && !isIsolated)
      missing[name] = "runs only in a network of its own, as it would call on servers of its makers";
  }
  const noPath = needPath ? pathMissing() : undefined;
  const without = workloadNames.filter((name) => noPath !== undefined && workloads[name]?.path !== undefined);
  return { rows: missing, workloads: Object.fromEntries(without.map((name) => [name, String(noPath)])) };
}
