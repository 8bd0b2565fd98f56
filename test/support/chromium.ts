import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import type { TestProject } from "vitest/node";

import { installDebianPackages } from "./debian-packages.js";

const usualPaths = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

declare module "vitest" {
  interface ProvidedContext {
    /** Where the Chromium for the tests is, or what to do to have one. */
    chromium: { path: string } | { missing: string };
  }
}

/**
 * Finds the Chromium for the tests, before the first of them: at CHROMIUM_PATH, or at one of the usual places. On Debian,
 * where this process may, it is installed first. Under CI a missing Chromium is a failure.
 */
export function setup(project: TestProject): void {
  const found = chromiumPath() ?? installChromium();
  if (found !== undefined) return project.provide("chromium", { path: found });
  const missing = "no Chromium on this machine: install one, or say where it is in CHROMIUM_PATH";
  if (!["", "0", "false"].includes(process.env["CI"] ?? "")) throw new Error(missing);
  project.provide("chromium", { missing });
}

/**
 * A Chromium without a window. To be closed.
 *
 * @param options.backForwardCache as users have it; playwright switches it off by default, since it does not see when a
 * page comes back from it
 */
export async function launchChromium(path: string, { backForwardCache = false } = {}): Promise<Browser> {
  const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return await chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-gpu", ...quiet],
    ignoreDefaultArgs: backForwardCache ? ["--disable-back-forward-cache"] : [],
  });
}

function chromiumPath(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  return (named === undefined || named === "" ? usualPaths : [named]).find((path) => existsSync(path));
}

/** Debian's package, unless another Chromium was asked for. */
function installChromium(): string | undefined {
  if (!process.env["CHROMIUM_PATH"]) installDebianPackages("chromium");
  return chromiumPath();
}
