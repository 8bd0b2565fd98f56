/** What browsers load: how large it is, what is in it, what it needs of the platform. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import * as core from "../../src/index.ts";

/** 25 KB. It was 20 before Clients came back by themselves and resumed their streams. */
const maxGzippedBytes = 25_600;

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a page has to load, by how it loads conec. */
const loaded = { "conec.browser.js": "", "Client and webtransport, tree-shaken": "" };
let folder: string;
let shakenModules: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "conec-bundle-"));
  const built = spawnSync(process.execPath, [join(root, "scripts", "bundle.js"), folder], { encoding: "utf8" });
  expect(built.stderr).toBe("");
  loaded["conec.browser.js"] = readFileSync(join(folder, "conec.browser.js"), "utf8");

  const entry = join(folder, "entry.js");
  const source = (path: string): string => JSON.stringify(join(root, "src", path));
  writeFileSync(
    entry,
    `import { Client } from ${source("index.ts")};
     import { webtransport } from ${source("transports/webtransport/index.ts")};
     globalThis.connect = (url) => Client.connect(url, { transport: webtransport() });`,
  );
  const bundle = await rolldown({ input: entry, platform: "browser" });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  loaded["Client and webtransport, tree-shaken"] = output[0].code;
  shakenModules = Object.entries(output[0].modules)
    .filter(([, { code }]) => code !== null && code !== "")
    .map(([file]) => file.slice(root.length).replaceAll("\\", "/"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(Object.keys(loaded) as (keyof typeof loaded)[])("%s", (name) => {
  test(`is less than ${maxGzippedBytes} bytes, minified and gzipped`, () => {
    const bytes = gzipSync(loaded[name], { level: 9 }).length;
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(maxGzippedBytes);
  });

  test("has nothing of Node", () => {
    expect(loaded[name].match(/\b(Buffer|process|require|setImmediate|__dirname)\b|node:/g)).toBeNull();
  });

  // The table in src/polyfill/index.ts says from which version of a browser on conec works, and what the polyfill adds.
  test("needs no polyfill, and nothing newer than it should", () => {
    const newer =
      /\b(withResolvers|toSorted|toReversed|toSpliced|findLast|findLastIndex|groupBy|fromAsync|structuredClone)\b/g;
    expect(loaded[name].match(newer)).toBeNull();
    expect(loaded[name].match(/AbortSignal\.(any|timeout)|ReadableStream\.from|Promise\.try|static\{/g)).toBeNull();
    // `for await` never over a stream: over an iterator of our own.
    expect(loaded[name].match(/for await\((?!let \w+ of new )/)).toBeNull();
  });
});

test("a page that imports the Client loads no other package, and not the Coordinator", () => {
  expect(shakenModules.filter((module) => module.includes("node_modules"))).toEqual([]);
  expect(shakenModules).toContain("src/core/client.ts");
  for (const module of ["coordinator", "switchboard", "link", "member", "local-path"])
    expect(shakenModules).not.toContain(`src/core/${module}.ts`);
});

test("the bundle exports all of conec but the Coordinator, and webtransport", async () => {
  const bundle = (await import(pathToFileURL(join(folder, "conec.browser.js")).href)) as Record<string, unknown>;
  const names = Object.keys(core).filter((name) => name !== "Coordinator");
  expect(Object.keys(bundle).toSorted()).toEqual([...names, "webtransport"].toSorted());
  expect(Object.values(bundle).every((value) => typeof value === "function")).toBe(true);
});
