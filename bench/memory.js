/**
 * `node --expose-gc bench/memory.js`: what idle channels cost the Coordinator, and what a reader that stops costs all
 * three processes. Memory is the resident set after garbage collection; the first 1000 channels only warm the heap up.
 */
import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Coordinator } from "conec";
import { createSelfSignedCertificate, listen, quic } from "conec/quic";

const warmUpChannels = 1000;
const countedChannels = 2000;
const stalledMessageBytes = 65_536;

/** What each process can be asked to do. @type {Record<string, (argument: any) => Promise<unknown>>} */
const tasks = { memory };

const [role, port, hash] = process.argv.slice(2);
if (role === undefined) await main();
else {
  process.on("message", (/** @type {any} */ { task, argument }) => {
    void tasks[task]?.(argument).then((result) => process.send?.({ task, result }));
  });
  process.on("disconnect", () => process.exit());
  if (role === "coordinator") await runCoordinator();
  else await runClient(role);
}

async function main() {
  const coordinator = start("coordinator");
  const listening = await told(coordinator, "listening");
  const [alice, bob] = ["alice", "bob"].map((name) => start(name, listening.port, listening.hash));
  if (alice === undefined || bob === undefined) return;
  await Promise.all([told(alice, "joined"), told(bob, "joined")]);

  await ask(coordinator, "introduce", warmUpChannels);
  const before = await ask(coordinator, "memory");
  await ask(coordinator, "introduce", countedChannels);
  const after = await ask(coordinator, "memory");
  const each = (/** @type {"rss" | "heapUsed"} */ kind) =>
    ((after[kind] - before[kind]) / countedChannels / 1000).toFixed(1);
  console.log(`idle channel at the Coordinator: ${each("rss")} KB resident, ${each("heapUsed")} KB of it heap`);

  await ask(alice, "run");
  const processes = { alice, coordinator, bob };
  const quiet = await Promise.all(Object.values(processes).map((child) => ask(child, "memory")));
  const pushed = await ask(alice, "stall");
  const stalled = await Promise.all(Object.values(processes).map((child) => ask(child, "memory")));
  console.log(`stalled reader: its writer got rid of ${(pushed / 1e6).toFixed(2)} MB`);
  for (const [i, name] of Object.keys(processes).entries()) {
    console.log(`  ${name}: ${((stalled[i].rss - quiet[i].rss) / 1e6).toFixed(2)} MB more resident`);
  }
  for (const child of Object.values(processes)) child.disconnect();
}

async function runCoordinator() {
  const certificate = createSelfSignedCertificate({ hosts: ["localhost"] });
  const coordinator = new Coordinator({ limits: { channelsPerClient: 10_000 } });
  const listener = await listen({ host: "127.0.0.1", ...certificate });
  coordinator.serve(listener);
  tasks.introduce = async (count) => {
    for (let i = 0; i < count; i++) await coordinator.introduce("alice", "bob");
  };
  const result = { port: listener.address.port, hash: Buffer.from(certificate.hash).toString("hex") };
  process.send?.({ task: "listening", result });
}

/** @param {string} id */
async function runClient(id) {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Buffer.from(hash ?? "", "hex") }];
  const client = await Client.connect(`https://127.0.0.1:${port}`, {
    transport: quic({ serverCertificateHashes: /** @type {any} */ (serverCertificateHashes) }),
    id,
    limits: { unreadChannels: 10_000 },
  });
  /** @type {import("conec").Channel[]} */
  const channels = [];
  void (async () => {
    for await (const channel of client.incomingChannels) {
      channels.push(channel);
      void takeStreams(channel);
    }
  })();
  const open = (/** @type {string} */ name) => {
    const [channel] = channels;
    if (channel === undefined) throw new Error("There is no channel");
    return channel.createUnidirectionalStream({ name });
  };
  const bytes = new Uint8Array(stalledMessageBytes);
  tasks.run = async () => {
    const writer = (await open("read")).getWriter();
    for (let i = 0; i < 2000; i++) await writer.write(bytes);
    await writer.close();
  };
  tasks.stall = async () => {
    const writer = (await open("not read")).getWriter();
    let pushed = 0;
    void (async () => {
      for (;;) {
        await writer.write(bytes);
        pushed += bytes.length;
      }
    })().catch(() => {});
    for (let last = -1; last !== pushed; await sleep(500)) last = pushed;
    return pushed;
  };
  process.send?.({ task: "joined" });
}

/** @param {import("conec").Channel} channel */
async function takeStreams(channel) {
  for await (const readable of channel.incomingUnidirectionalStreams) {
    if (readable.name === "read") void readable.pipeTo(new WritableStream());
  }
}

async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  return process.memoryUsage();
}

/**
 * @param {string} name
 * @param {...string} args
 */
function start(name, ...args) {
  return fork(new URL(import.meta.url), [name, ...args], { execArgv: ["--expose-gc"] });
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} task
 * @param {unknown} [argument]
 */
function ask(child, task, argument) {
  child.send({ task, argument });
  return told(child, task);
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} task
 * @returns {Promise<any>}
 */
function told(child, task) {
  return new Promise((resolve) => {
    child.on("message", function listen(/** @type {any} */ message) {
      if (message.task !== task) return;
      child.off("message", listen);
      resolve(message.result);
    });
  });
}
