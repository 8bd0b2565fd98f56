/**
 * Clients on Deno and Bun, with a Coordinator on this Node, and both on the releases of Node that the other tests do not run on.
 * What does not work there yet is said here, with its reason.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Coordinator } from "../../src/index.ts";
import { listen as listenQuic } from "../../src/transports/quic/index.ts";
import { listen as listenWebSocket } from "../../src/transports/websocket/node/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { InstalledPackage } from "../support/installed-package.ts";

const packages = fileURLToPath(new URL("packages", import.meta.url));

/** Sends messages to the Coordinator, which sends them back on another stream, and compares them all. */
const program = `
import { Client } from "conec";

const [name, url, hash] = globalThis.Deno?.args ?? process.argv.slice(2);
const bytes = Uint8Array.from(hash.match(/../g), (digits) => Number.parseInt(digits, 16));
const options = { serverCertificateHashes: [{ algorithm: "sha-256", value: bytes }] };
const { [name]: transport } = await import(\`conec/\${name}\`);

const client = await Client.connect(url, { transport: transport(options), id: "traveller" });
const count = 1000;
const message = (index) => new Uint8Array((index * 7919) % 30_000).fill(index);

const send = async () => {
  const writer = (await client.coordinator.createUnidirectionalStream()).getWriter();
  for (let index = 0; index < count; index += 1) await writer.write(message(index));
  await writer.close();
};
const receive = async () => {
  const { value: stream } = await client.coordinator.incomingUnidirectionalStreams.getReader().read();
  let index = 0;
  for await (const received of stream) {
    const sent = message(index);
    if (received.length !== sent.length || received.some((byte, at) => byte !== sent[at])) throw new Error(\`\${index}\`);
    index += 1;
  }
  return index;
};
const [, received] = await Promise.all([send(), receive()]);
console.log(\`\${received} of \${count} over \${(await client.getStats()).transport}\`);
await client.close();
`;

/** A Coordinator that sends back, and the program above as its Client, over both transports. */
const both = `
import { Coordinator } from "conec";
import { createSelfSignedCertificate, listen } from "conec/quic";
import * as websocket from "conec/websocket";

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["127.0.0.1"] });
const coordinator = new Coordinator();
const listener = await listen({ host: "127.0.0.1", port: 0, cert, key });
coordinator.serve(listener);
coordinator.serve(await websocket.listen({ host: "127.0.0.1", port: listener.address.port, cert, key }));
(async () => {
  for await (const channel of coordinator.incomingChannels) {
    const { value: readable } = await channel.incomingUnidirectionalStreams.getReader().read();
    await readable.pipeTo(await channel.createUnidirectionalStream());
  }
})();
for (const transport of ["quic", "websocket"]) {
  process.argv.splice(2, 3, transport, \`https://127.0.0.1:\${listener.address.port}\`, Buffer.from(hash).toString("hex"));
  await import(\`./echo.js?\${transport}\`);
}
await coordinator.close();
`;

interface Runtime {
  name: string;
  /** Path in the platform's package. */
  binary: string;
  /** Of the package. */
  platform: string;
  args: string[];
}

const arch = process.arch === "arm64" ? "aarch64" : process.arch;
const libc = process.platform === "linux" ? "-glibc" : "";
const deno: Runtime = {
  name: "deno",
  platform: `@deno/${process.platform}-${process.arch}${libc}`,
  binary: "deno",
  args: ["run", "--allow-all", "--unstable-net"],
};
const bun: Runtime = { name: "bun", platform: `@oven/bun-${process.platform}-${arch}`, binary: "bin/bun", args: [] };

const nodes: Runtime[] = ["22", "24"].map((release) => ({
  name: `node ${release}`,
  platform: `node-${release}-${process.platform}-${process.arch}`,
  binary: process.platform === "win32" ? "bin/node.exe" : "bin/node",
  args: [],
}));

/** The path of a runtime, installed when it is not yet; undefined where it cannot be had. */
function pathOf({ platform, binary }: Runtime): string | undefined {
  const path = join(packages, "node_modules", platform, binary);
  if (!existsSync(path)) install();
  return existsSync(path) ? path : undefined;
}

let tried = false;
function install(): void {
  if (tried) return;
  tried = true;
  const args = ["ci", "--prefix", packages, "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = process.env["npm_execpath"];
  if (npm === undefined) spawnSync("npm", args, { shell: process.platform === "win32", timeout: 300_000 });
  else spawnSync(process.execPath, [npm, ...args], { timeout: 300_000 });
}

let project: InstalledPackage;
let coordinator: Coordinator;
let url: string;
let hash: string;

beforeAll(async () => {
  project = new InstalledPackage();
  project.write("echo.js", program);
  project.write("both.js", both);
  const certificate = createAuthority().issue();
  hash = Buffer.from(certificate.hash).toString("hex");
  coordinator = new Coordinator({
    authenticate: ({ requestedId }) => ({ id: requestedId ?? "anybody" }),
    duplicateId: "newest",
  });
  const quic = await listenQuic({ host: "127.0.0.1", ...certificate });
  coordinator.serve(quic);
  coordinator.serve(await listenWebSocket({ host: "127.0.0.1", port: quic.address.port, ...certificate }));
  void echo();
  url = `https://127.0.0.1:${quic.address.port}`;
  pathOf(deno);
}, 300_000);

afterAll(async () => {
  await coordinator?.close();
  project?.remove();
});

/** Sends everything back that Clients send. */
async function echo(): Promise<void> {
  for await (const channel of coordinator.incomingChannels) {
    const { value: readable } = await channel.incomingUnidirectionalStreams.getReader().read();
    await readable?.pipeTo(await channel.createUnidirectionalStream());
  }
}

async function run(path: string, { args }: Runtime, file: string, ...more: string[]): Promise<Ended> {
  const child = spawn(path, [...args, join(project.folder, file), ...more], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], stdout, stderr] = await Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

describe.each([deno, bun])("$name", (runtime) => {
  const works = { deno: ["websocket"], bun: ["quic", "websocket"] }[runtime.name]!;

  test.for(works)("a Client over %s", async (transport, context) => {
    const path = pathOf(runtime);
    context.skip(path === undefined, `${runtime.platform} could not be installed`);
    const ended = await run(path!, runtime, "echo.js", transport, url, hash);
    expect(ended).toEqual({ code: 0, stdout: `1000 of 1000 over ${transport}\n`, stderr: "" });
  });
});

test.for(nodes)("$name: a Coordinator, and Clients over QUIC and WebSocket", async (runtime, context) => {
  const path = pathOf(runtime);
  context.skip(path === undefined, `${runtime.platform} could not be installed`);
  const ended = await run(path!, runtime, "both.js");
  const stdout = "1000 of 1000 over quic\n1000 of 1000 over websocket\n";
  expect(ended).toEqual({ code: 0, stdout, stderr: "" });
});

test("deno: QUIC is unsupported, and says so", async (context) => {
  const path = pathOf(deno);
  context.skip(path === undefined, `${deno.platform} could not be installed`);
  const { code, stderr } = await run(path!, deno, "echo.js", "quic", url, hash);
  expect(code).toBe(1);
  expect(stderr).toMatch(/ConecError: .*Deno/);
});
