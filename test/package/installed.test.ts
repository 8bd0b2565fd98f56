/** conec as the projects see it that have installed it: their bundlers, CommonJS, their types, and what npm packs. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build as esbuild, stop } from "esbuild";
import { rolldown } from "rolldown";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import webpack from "webpack";

import { InstalledPackage, root } from "../support/installed-package.ts";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, unknown>;
  files: string[];
};

/** All entry points, as they are imported. */
const specifiers = Object.keys(manifest.exports)
  .map((path) => join("conec", path))
  .filter((specifier) => !specifier.endsWith(".json"));

/** A page's program, as far as it runs without a page. */
const program = `
import { Client, ConecError, Coordinator } from "conec";
import { listen, memory } from "conec/memory";
import { webtransport } from "conec/webtransport";
import { websocket } from "conec/websocket";

const coordinator = new Coordinator();
coordinator.serve(await listen({ host: "hub", port: 1 }));
const client = await Client.connect("https://hub:1", { transport: memory(), id: "alice" });
const writer = (await client.coordinator.createUnidirectionalStream({ name: "greeting" })).getWriter();
writer.write(new TextEncoder().encode("hello"));
writer.close();
const channel = [...coordinator.clients.values()][0];
const { value: stream } = await channel.incomingUnidirectionalStreams.getReader().read();
const messages = [];
for await (const message of stream) messages.push(new TextDecoder().decode(message));
await client.close();
await coordinator.close();
console.log(JSON.stringify({ messages, types: [ConecError, webtransport, websocket].map((each) => typeof each) }));
`;

let project: InstalledPackage;
beforeAll(() => void (project = new InstalledPackage()), 120_000);
afterAll(() => project.remove());

function runs(path: string): unknown {
  const { stdout, stderr, status } = spawnSync(process.execPath, [path], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

describe("a program that is bundled for browsers, by", () => {
  const entry = (): string => project.write("entry.mjs", program);
  const bundlers: Record<string, (outfile: string) => Promise<unknown>> = {
    esbuild: async (outfile) => {
      await esbuild({ entryPoints: [entry()], bundle: true, format: "esm", minify: true, outfile });
      await stop();
    },
    rolldown: async (file) => {
      const bundle = await rolldown({ input: entry(), platform: "browser" });
      await bundle.write({ file, format: "esm", minify: true, codeSplitting: false });
      await bundle.close();
    },
    vite: (outfile) =>
      vite({
        root: project.folder,
        logLevel: "warn",
        configFile: false,
        build: {
          target: "es2022",
          outDir: join(outfile, ".."),
          rolldownOptions: { input: entry(), output: { entryFileNames: "app.mjs", codeSplitting: false } },
        },
      }),
    webpack: async (outfile) => {
      const compiler = webpack({
        mode: "production",
        target: ["web", "es2022"],
        optimization: { minimize: false },
        performance: { hints: false },
        entry: entry(),
        output: { path: join(outfile, ".."), filename: "app.mjs", module: true, chunkFormat: "module" },
        experiments: { outputModule: true },
      });
      const stats = await promisify(compiler.run.bind(compiler))();
      await promisify(compiler.close.bind(compiler))();
      expect(stats!.toJson({ all: false, errors: true, warnings: true })).toMatchObject({ errors: [], warnings: [] });
    },
  };

  test.each(Object.entries(bundlers))(
    "%s",
    async (name, bundle) => {
      const outfile = join(project.folder, name, "app.mjs");
      await bundle(outfile);
      expect(runs(outfile)).toEqual({ messages: ["hello"], types: ["function", "function", "function"] });
      // Nothing of Node and of other packages has come along.
      expect(readFileSync(outfile, "utf8")).not.toMatch(/node:|matrixai|require\(/);
    },
    60_000,
  );
});

describe("CommonJS", () => {
  const load = `for (const name of ${JSON.stringify(specifiers)}) LOAD;`;

  test("imports every entry point", () => {
    const imports = load.replace("LOAD", "counts[name] = Object.keys(await import(name)).length");
    const path = project.write(
      "commonjs.cjs",
      `(async () => { const counts = {}; ${imports} console.log(JSON.stringify(counts)); })();`,
    );
    const counts = runs(path) as Record<string, number>;
    expect(Object.keys(counts)).toEqual(specifiers);
    for (const [name, count] of Object.entries(counts))
      if (name !== "conec/polyfill") expect(count, name).toBeGreaterThan(0);
  });
});

describe("types", () => {
  const typed = `
import { Client, Coordinator } from "conec";
import type { Channel, ConecErrorCode, MessageReadable, MessageWritable } from "conec";
import { listen, quic } from "conec/quic";
import type { QuicListener } from "conec/quic";
import { memory } from "conec/memory";
import { webtransport } from "conec/webtransport";
import { websocket } from "conec/websocket";
import { supervise } from "conec/supervisor";

export const listener: Promise<QuicListener> = listen({ cert: "", key: new Uint8Array(), host: "::" });
export const coordinator: Coordinator = new Coordinator({ authenticate: async ({ requestedId }) => ({ id: requestedId ?? "anybody" }) });
export const client: Promise<Client> = Client.connect("https://hub", { transport: [webtransport(), websocket()] });
export const transports = [quic(), memory()];
export const parent: unknown = supervise;

export async function all(channel: Channel): Promise<ConecErrorCode | undefined> {
  const writable: MessageWritable & WritableStream<Uint8Array> = await channel.createUnidirectionalStream({ name: "a" });
  const readable: MessageReadable & ReadableStream<Uint8Array> = (await channel.incomingUnidirectionalStreams.getReader().read()).value!;
  for await (const message of readable) message satisfies Uint8Array;
  await readable.pipeTo(writable);
  // @ts-expect-error -- messages are bytes
  await writable.getWriter().write("text");
  // @ts-expect-error -- there is no such code
  return "no-such-code";
}
`;

  test.each(["nodenext", "bundler"])("under %s", (moduleResolution) => {
    project.write("typed.ts", typed);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "es2022",
      lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable", "esnext.disposable"],
      module: moduleResolution === "bundler" ? "preserve" : "nodenext",
      moduleResolution,
      types: ["node"],
    };
    const config = project.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["typed.ts"] }));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", config], { encoding: "utf8" });
    expect(stdout).toBe("");
  });
});

test("the tarball has what is exported and nothing else", () => {
  const paths = JSON.stringify(manifest.exports).match(/\.\/dist\/[^"]+/g)!;
  for (const path of paths) expect(existsSync(join(project.folder, "node_modules", "conec", path)), path).toBe(true);
  expect(manifest.files).toEqual(["dist", "src"]);
});
