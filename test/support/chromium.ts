import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

const usualPaths = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

const installLimitMs = 5 * 60_000;

/**
 * Where the Chromium for the tests is: at CHROMIUM_PATH, or at one of the usual places. On Debian, where this process
 * may, it is installed first. Otherwise `missing` says what to do; under CI that is a failure.
 */
export function findChromium(): { path: string } | { missing: string } {
  const found = chromiumPath() ?? installChromium();
  if (found !== undefined) return { path: found };
  const missing = "no Chromium on this machine: install one, or say where it is in CHROMIUM_PATH";
  if (!["", "0", "false"].includes(process.env["CI"] ?? "")) throw new Error(missing);
  return { missing };
}

/** A Chromium without a window. To be closed. */
export async function launchChromium(path: string): Promise<Browser> {
  const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return await chromium.launch({ executablePath: path, args: ["--no-sandbox", "--disable-gpu", ...quiet] });
}

function chromiumPath(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  return (named === undefined || named === "" ? usualPaths : [named]).find((path) => existsSync(path));
}

function installChromium(): string | undefined {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync("/etc/debian_version") || process.env["CHROMIUM_PATH"]) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]) => spawnSync("apt-get", args, { env, timeout: installLimitMs }).status === 0;
  const install = ["install", "-y", "--no-install-recommends", "chromium"];
  if (!apt(...install)) void (apt("update") && apt(...install));
  return chromiumPath();
}
