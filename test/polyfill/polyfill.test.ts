/** conec/polyfill in Node: each time in a process or a context of its own, so that nothing leaks. */
import { build, stop } from "esbuild";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { createContext, runInContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";

import { builtScenario, compare, remember, takeAway } from "./built-scenario.ts";
import { expected } from "./scenario.ts";

const run = promisify(execFile);
let folder: string;
let scenarioUrl: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "conec-polyfill-"));
  const path = join(folder, "scenario.mjs");
  writeFileSync(path, await builtScenario());
  scenarioUrl = pathToFileURL(path).href;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script in a process of its own; gives what it hands to `report`. */
async function inNode(script: string): Promise<unknown> {
  const report = "const report = (value) => console.log(JSON.stringify(value));";
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", `${report}${script}`]);
  return JSON.parse(stdout);
}

test("what was taken away works again", async () => {
  const result = await inNode(`${takeAway} await import("${scenarioUrl}"); report(await scenario());`);
  expect(result).toEqual(expected);
});

test("the platform's own does the same", async () => {
  expect(await inNode(`await import("${scenarioUrl}"); report(await scenario());`)).toEqual(expected);
});

test("without it, loops over streams fail", async () => {
  const loop = "for await (const _ of new ReadableStream());";
  const attempt = `${takeAway} try { ${loop} } catch (error) { report(error.name) }`;
  expect(await inNode(attempt)).toBe("TypeError");
});

test("what is there is left as it is", async () => {
  const result = await inNode(`${remember} await import("${scenarioUrl}"); report(${compare});`);
  expect(result).toEqual(["same", "same", "same"]);
});

test("what is installed looks like the platform's own", async () => {
  const flags = `[[ReadableStream.prototype, "values"], [ReadableStream.prototype, Symbol.asyncIterator], [ReadableStream, "from"]]
    .map(([holder, name]) => { const { value, ...flags } = Object.getOwnPropertyDescriptor(holder, name); return flags; })`;
  const own = await inNode(`report(${flags})`);
  expect(await inNode(`${takeAway} await import("${scenarioUrl}"); report(${flags})`)).toEqual(own);
});

test("Symbol.asyncDispose, where there is none, once", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../src/polyfill/symbol-async-dispose.ts", import.meta.url))],
    bundle: true,
    format: "iife",
    write: false,
  });
  await stop();
  // Current Nodes have it, and it cannot be taken away.
  const context = createContext({ Symbol: (description: string) => Symbol(description) });
  const descriptor = "Object.getOwnPropertyDescriptor(Symbol, 'asyncDispose')";
  expect(runInContext(`typeof ${descriptor}`, context)).toBe("undefined");
  runInContext(outputFiles[0]!.text, context);
  const installed: unknown = runInContext("Symbol.asyncDispose", context);
  expect(typeof installed).toBe("symbol");
  expect(runInContext(descriptor, context)).toMatchObject({ writable: false, enumerable: false, configurable: false });
  runInContext(outputFiles[0]!.text, context);
  expect(runInContext("Symbol.asyncDispose", context)).toBe(installed);
});
