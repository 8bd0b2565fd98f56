/**
 * `npm run fuzz -- --minutes 10`: every property of test/fuzz with anything, for so many minutes each (1 by default).
 *
 *   --seed N        begins where an earlier run began; otherwise anywhere. The seed is printed
 *   --level WORDS   only those of a level: framing, "control messages", metadata, handshake, "channel state", HTTP/3, API, …
 *
 * A short run of the same is in `npm test`.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { minutes: { type: "string" }, seed: { type: "string" }, level: { type: "string" } },
});
const minutes = number("minutes", values.minutes ?? "1", 60 * 24);
const seed = number("seed", values.seed ?? String(Math.floor(Math.random() * 2 ** 31)), 2 ** 31);

console.log(`${minutes} min for each property, seed ${seed}`);
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const only = values.level === undefined ? [] : ["-t", `${values.level.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}: `];
const { status } = spawnSync(process.execPath, [vitest, "run", "test/fuzz", ...only], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, CONEC_FUZZ: JSON.stringify({ ms: minutes * 60_000, seed }) },
});
console.log(`seed ${seed}`);
process.exitCode = status ?? 1;

/**
 * @param {string} name
 * @param {string} text
 * @param {number} below
 */
function number(name, text, below) {
  const value = Number(text);
  if (value >= 0 && value < below) return value;
  console.error(`--${name} must be a number from 0 to ${below}, not ${text}`);
  process.exit(2);
}
