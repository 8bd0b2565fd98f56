/**
 * `npm test`: the tests on this Node, then those of the project "node" on the current Node (test/current-node).
 * `npm test -- test/streams -t name`: what is asked for, on this Node only; the arguments are vitest's.
 *
 * The last line of the output is the sum of all runs: `N passed, N failed` and, if there are any, `, N skipped`.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { ChildProcess } from "node:child_process" */
/** @import { Summary } from "./vitest-summary.js" */

/** A run that takes longer than this is stopped and has failed. */
const runLimitMs = 15 * 60_000;
/** Vitest has to end by itself this soon after its last test; else something is left open. */
const exitLimitMs = 10_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const currentNodeFolder = join(root, "test", "current-node");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");

const args = process.argv.slice(2);
/** @type {{ run: string, summary: Summary }[]} */
const results = [];

await run(process.execPath, process.version, args);
if (args.length === 0) {
  const current = currentNode();
  if ("path" in current) await run(current.path, `v${current.version}`, ["--project", "node"]);
  else record(`Node v${current.version}`, missingRun(current.missing));
}
report();

/**
 * @param {string} node Path of the Node to run on.
 * @param {string} version
 * @param {string[]} options Vitest's.
 */
async function run(node, version, options) {
  console.log(`\nTests on Node ${version}`);
  const folder = mkdtempSync(join(tmpdir(), "conec-test-"));
  try {
    record(`Node ${version}`, await runVitest(node, options, join(folder, "summary.json")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Runs vitest to its end, or to its end by force.
 *
 * @param {string} node
 * @param {string[]} options
 * @param {string} summaryPath Where scripts/vitest-summary.js writes, at the end of the last test.
 * @returns {Promise<Summary>}
 */
async function runVitest(node, options, summaryPath) {
  const colors = process.stdout.isTTY || process.env["FORCE_COLOR"] ? {} : { NO_COLOR: "1" };
  const child = spawn(
    node,
    [vitest, "run", "--reporter=default", "--reporter=./scripts/vitest-summary.js", ...options],
    // A process group of its own: it can be ended with everything that the tests have started.
    {
      cwd: root,
      stdio: "inherit",
      detached: true,
      env: { ...process.env, ...colors, CONEC_TEST_SUMMARY: summaryPath },
    },
  );
  /** @type {string | undefined} */
  let stoppedBecause;
  /** @param {string} reason */
  const stop = (reason) => {
    stoppedBecause ??= reason;
    endGroup(child, "SIGKILL");
  };
  const limit = setTimeout(() => stop(`tests were not over after ${runLimitMs / 60_000} minutes`), runLimitMs);
  /** @type {NodeJS.Timeout | undefined} */
  let exitLimit;
  const watcher = watch(join(summaryPath, ".."), () => {
    exitLimit ??= setTimeout(
      () => stop(`vitest did not end within ${exitLimitMs / 1000} s of the last test: something is left open`),
      exitLimitMs,
    );
  });
  /** @param {NodeJS.Signals} signal */
  const interrupt = (signal) => {
    endGroup(child, signal);
    child.once("exit", () => process.exit(130));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);

  /** @type {string} */
  const ending = await new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with exit code ${code}`));
  });
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  watcher.close();
  clearTimeout(limit);
  clearTimeout(exitLimit);

  const summary = readSummary(summaryPath);
  if (stoppedBecause) summary.failed.push(stoppedBecause);
  else if (!existsSync(summaryPath)) summary.failed.push(`vitest ${ending}, without a result`);
  else if (summary.passed + summary.failed.length + summary.skipped.length === 0) summary.failed.push("no tests found");
  else if (ending !== "ended with exit code 0" && summary.failed.length === 0) summary.failed.push(`vitest ${ending}`);
  return summary;
}

/**
 * @param {ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function endGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // It has ended already.
  }
}

/**
 * @param {string} path
 * @returns {Summary}
 */
function readSummary(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { passed: 0, failed: [], skipped: [] };
}

/**
 * The Node of test/current-node, installed there when it is not yet.
 *
 * @returns {{ version: string, path: string } | { version: string, missing: string }}
 */
function currentNode() {
  /** @type {{ optionalDependencies: Record<string, string> }} */
  const manifest = JSON.parse(readFileSync(join(currentNodeFolder, "package.json"), "utf8"));
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const entry = Object.entries(manifest.optionalDependencies).find(([name]) => name.endsWith(`-${platform}`));
  if (!entry) return { version: "current", missing: `test/current-node has none for ${platform}` };
  const [name, version] = entry;
  const path = join(currentNodeFolder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");

  let problem = "";
  if (versionOf(path) !== `v${version}`) {
    console.log(`\nInstalling Node v${version} in test/current-node`);
    problem = install();
  }
  if (versionOf(path) === `v${version}`) return { version, path };
  return { version, missing: `${name}@${version} could not be installed in test/current-node. ${problem}`.trim() };
}

/** @returns {string} What went wrong, if anything. */
function install() {
  const args = ["ci", "--prefix", currentNodeFolder, "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = process.env["npm_execpath"]; // set by npm itself: the path of its script
  const done = npm
    ? spawnSync(process.execPath, [npm, ...args], { encoding: "utf8", timeout: 300_000 })
    : spawnSync("npm", args, { encoding: "utf8", timeout: 300_000, shell: process.platform === "win32" });
  if (done.status === 0) return "";
  return done.error?.message ?? done.stderr.split("\n").find((line) => /^npm (error|ERR!)/.test(line)) ?? "";
}

/** @param {string} node */
function versionOf(node) {
  return existsSync(node) ? spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim() : undefined;
}

/**
 * A whole run that could not be made: on a developer's machine a thing skipped, in CI a failure.
 *
 * @param {string} reason
 * @returns {Summary}
 */
function missingRun(reason) {
  return isCI()
    ? { passed: 0, failed: [reason], skipped: [] }
    : { passed: 0, failed: [], skipped: [{ name: "all tests", reason }] };
}

function isCI() {
  return !["", "0", "false"].includes(process.env["CI"] ?? "");
}

/**
 * @param {string} run
 * @param {Summary} summary
 */
function record(run, summary) {
  results.push({ run, summary });
}

function report() {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const { run, summary } of results) {
    passed += summary.passed;
    failed += summary.failed.length;
    skipped += summary.skipped.length;
    if (summary.skipped.length > 0) console.log(`\nSkipped on ${run}:`);
    for (const { name, reason } of summary.skipped) console.log(`  ${name}: ${reason}`);
    if (summary.failed.length > 0) console.log(`\nFailed on ${run}:`);
    for (const name of summary.failed) console.log(`  ${name}`);
  }
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
}
