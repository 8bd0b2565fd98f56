/**
 * `npm run attacks`: every attack of test/hostile/quic, again and again for some seconds each, and all bad input of
 * test/hostile/bad-input, ten a second, and a table of what honest Clients keep of their speed meanwhile. Fails below 80 %.
 *
 *   --only WORDS   only attacks, or levels of bad input, that have these words in their name
 *
 * A short run of the same, without the speed, is in `npm test`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { readJsonLines } from "./json-lines.js";

/** @import { SpeedReport } from "../test/hostile/speed-report.ts" */

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({ options: { only: { type: "string" } } });
const only = values.only === undefined ? [] : ["-t", values.only.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")];

const folder = mkdtempSync(join(tmpdir(), "conec-attacks-"));
const results = join(folder, "speeds.jsonl");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const args = [vitest, "run", "--no-file-parallelism", "test/hostile/quic", "test/hostile/bad-input", ...only];
const env = { ...process.env, CONEC_ATTACKS_RESULTS: results };
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env });
/** @type {SpeedReport[]} */
const reports = readJsonLines(results);
rmSync(folder, { recursive: true, force: true });
console.log(`\n| where | attack | speed kept |\n| --- | --- | --- |`);
for (const { where, what, share } of reports) console.log(`| ${where} | ${what} | ${Math.round(100 * share)} % |`);
const shares = reports.map(({ share }) => share).toSorted((a, b) => a - b);
const [least = NaN, median = NaN] = [shares[0], shares[shares.length >> 1]];
console.log(`\n${shares.length} kept ${Math.round(100 * median)} % (median), ${Math.round(100 * least)} % at least`);
process.exitCode = status ?? 1;
