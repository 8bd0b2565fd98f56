/** The examples in the doc comments of what is public compile, as in a program that has what they speak of. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { InstalledPackage, root } from "../support/installed-package.ts";

/** Where the files of an entry point are, the narrowest folder first, and its list of exports. */
const entryPoints = [
  { folder: "src/transports/memory/", name: "conec/memory", index: "index.ts" },
  { folder: "src/transports/quic/", name: "conec/quic", index: "index.ts" },
  { folder: "src/transports/webtransport-server/", name: "conec/webtransport-server", index: "index.ts" },
  { folder: "src/transports/webtransport/", name: "conec/webtransport", index: "index.ts" },
  { folder: "src/transports/websocket/", name: "conec/websocket", index: "node/index.ts" },
  { folder: "src/observe/opentelemetry/", name: "conec/opentelemetry", index: "index.ts" },
  { folder: "src/observe/", name: "conec/observe", index: "index.ts" },
  { folder: "src/supervisor/", name: "conec/supervisor", index: "index.ts" },
  { folder: "src/", name: "conec", index: "index.ts" },
].map((entryPoint) => ({ ...entryPoint, exports: valuesOf(entryPoint.folder + entryPoint.index) }));

/** What they speak of, as it is before their first line. */
const given = `
import type { Channel, Client, Connection, Coordinator, MessageReadable, MessageWritable, Transport } from "conec";
import type { Observer } from "conec/observe";
import type { QuicListener } from "conec/quic";
import type { Tracer } from "@opentelemetry/api";
declare global {
  const channel: Channel, client: Client, coordinator: Coordinator, listener: QuicListener, observer: Observer;
  const readable: MessageReadable, writable: MessageWritable, source: ReadableStream<Uint8Array>, file: File;
  const url: string, transport: Transport, ca: string, cert: string, key: string, privKey: string, secret: string;
  const publicKey: string, signature: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>;
  const tracer: Tracer;
  function serve(connection: Connection): void;
}
`;

let project: InstalledPackage;
beforeAll(() => void (project = new InstalledPackage()), 60_000);
afterAll(() => project.remove());

test("all of them compile", () => {
  const examples = sources().flatMap((path) => examplesOf(path));
  expect(examples.length).toBeGreaterThan(25);
  const folder = join(project.folder, "examples");
  mkdirSync(folder);
  project.write("examples/given.ts", given);
  for (const { path, line, code } of examples) {
    const name = `${path.replaceAll("/", "+")}-${line}.ts`;
    project.write(`examples/${name}`, `${importsOf(path, code)}\n${code}\nexport {};\n`);
  }
  const tsconfig = { extends: join(root, "tsconfig.json"), compilerOptions: { noUnusedLocals: false }, include: ["*"] };
  project.write("examples/tsconfig.json", JSON.stringify(tsconfig));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", "."], { cwd: folder, encoding: "utf8" });
  expect(stdout).toBe("");
}, 60_000);

/** In one line, of what an example uses without importing it: from the entry point where it stands, else from another. */
function importsOf(path: string, code: string): string {
  const own = entryPoints.find(({ folder }) => path.startsWith(folder))!;
  const others = entryPoints.filter(({ name }) => /^conec(\/(quic|webtransport|websocket))?$/.test(name));
  const imported = new Set([...code.matchAll(/^import .*$/gm)].flatMap(([line]) => line.match(/\w+/g)!));
  return [own, ...others]
    .map(({ name, exports }) => {
      const used = exports.filter((each) => !imported.has(each) && new RegExp(`(?<![.\\w"])${each}\\b`).test(code));
      for (const each of used) imported.add(each);
      return `import { ${used.join(", ")} } from "${name}";`;
    })
    .join(" ");
}

function sources(): string[] {
  const paths = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".ts")).map((path) => `src/${path.replaceAll("\\", "/")}`);
}

function examplesOf(path: string): { path: string; line: number; code: string }[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/^ *\* @example\n *\* ```ts\n([^]*?)^ *\* ```$/gm)].map(({ 1: code, index }) => ({
    path,
    line: text.slice(0, index).split("\n").length + 2,
    code: code!.replaceAll(/^ *\* ?/gm, ""),
  }));
}

/** What an entry point exports, but for types. */
function valuesOf(path: string): string[] {
  const lists = readFileSync(join(root, path), "utf8").matchAll(/^export \{([^}]*)\}/gm);
  return [...lists].flatMap(([, names]) => names!.match(/\w+/g)!);
}
