/**
 * `npm run bench -- --costs`: the small costs. What importing each entry point takes, what starting to listen and joining
 * take in a fresh process, and the size of the bundle for browsers.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { keep, publish } from "./journal.js";
import { describeMachine, describeVersions } from "./machine.js";
import { quantile } from "./workloads/quantile.js";

const ROUNDS = 15;
/** The others, and the same for a program that a user might have instead. */
const modules = ["conec", "conec/memory", "conec/quic", "conec/webtransport", "conec/websocket", "conec/supervisor"];
const BASELINES = ["ws"];
const BUNDLE = new URL("../dist/conec.browser.js", import.meta.url);

/**
 * @param {{ publish: boolean }} options
 * @returns {Promise<number>} The exit code.
 */
export async function measureCosts({ publish: isPublic }) {
  /** @type {{ what: string, ms: number, megabytes: number | null }[]} */
  const table = [];
  // Interleaved: each round measures all.
  /** @type {Record<string, { ms: number[], megabytes: number[] }>} */
  const measured = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of [...modules, ...BASELINES]) add(measured, `import ${name}`, importing(name));
    for (const [what, ms] of Object.entries(joining())) add(measured, what, { ms });
  }
  for (const [what, { ms, megabytes }] of Object.entries(measured)) {
    table.push({ what, ms: quantile(ms, 0.5), megabytes: megabytes.length === 0 ? null : quantile(megabytes, 0.5) });
  }
  const bundle = readFileSync(BUNDLE);
  const sizes = {
    "bytes, minified": bundle.length,
    "bytes, gzip": gzipSync(bundle, { level: 9 }).length,
    "bytes, brotli": brotliCompressSync(bundle).length,
  };

  const width = Math.max(...table.map(({ what }) => what.length));
  console.log(`${"".padEnd(width)}       ms   MB resident (median of ${ROUNDS} processes)`);
  for (const { what, ms, megabytes } of table) {
    console.log(`${what.padEnd(width)} ${ms.toFixed(1).padStart(8)} ${(megabytes?.toFixed(1) ?? "").padStart(13)}`);
  }
  for (const [unit, size] of Object.entries(sizes)) console.log(`conec.browser.js: ${size} ${unit}`);

  const about = { date: new Date().toISOString(), versions: describeVersions(), machine: describeMachine() };
  const workloads = { costs: { title: "small costs", ...about, rounds: ROUNDS, table, bundle: sizes } };
  console.log(`\nWritten to ${isPublic ? publish("costs", workloads) : keep("costs", { workloads })}`);
  return 0;
}

/**
 * @param {Record<string, { ms: number[], megabytes: number[] }>} measured
 * @param {string} what
 * @param {{ ms: number, megabytes?: number }} figures
 */
function add(measured, what, { ms, megabytes }) {
  const all = (measured[what] ??= { ms: [], megabytes: [] });
  all.ms.push(ms);
  if (megabytes !== undefined) all.megabytes.push(megabytes);
}

/**
 * In a process that has done nothing else.
 * @param {string} name
 * @returns {{ ms: number, megabytes: number }}
 */
function importing(name) {
  return inProcess(`
    const before = { ms: performance.now(), rss: process.memoryUsage.rss() };
    await import(${JSON.stringify(name)});
    console.log(JSON.stringify({
      ms: performance.now() - before.ms,
      megabytes: (process.memoryUsage.rss() - before.rss) / 1e6,
    }));
  `);
}

/**
 * Coordinator and Client in one fresh process: all code runs for the first time.
 * @returns {Record<string, number>}
 */
function joining() {
  return inProcess(`
    const { Client, Coordinator } = await import("conec");
    const { createSelfSignedCertificate, listen, quic } = await import("conec/quic");
    const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["127.0.0.1"] });
    const times = {};
    let lastMs = performance.now();
    const lap = (what) => {
      const nowMs = performance.now();
      times[what] = nowMs - lastMs;
      lastMs = nowMs;
    };
    const coordinator = new Coordinator();
    const listener = await listen({ host: "127.0.0.1", cert, key });
    coordinator.serve(listener);
    lap("start to listen");
    const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
    const client = await Client.connect("https://127.0.0.1:" + listener.address.port, { transport });
    lap("first connection");
    const { value: channel } = await coordinator.incomingChannels.getReader().read();
    const writable = await client.coordinator.createUnidirectionalStream();
    writable.tryWrite(new Uint8Array(64));
    const { value: readable } = await channel.incomingUnidirectionalStreams.getReader().read();
    await readable.getReader().read();
    lap("from there to the first message");
    console.log(JSON.stringify(times));
    process.exit();
  `);
}

/**
 * @param {string} program Prints one line of JSON.
 * @returns {any}
 */
function inProcess(program) {
  const done = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    encoding: "utf8",
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}
