/**
 * A process of the soak: the Coordinator, some Clients, or both. It does what it is told by messages, and tells what it sees.
 * `{ do, ... }` is answered by `{ done, result }`.
 */
import { generateKeyPair } from "conec";
import { loadKeyPair } from "conec/quic";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Agent } from "./agent.js";
import { Host } from "./host.js";
import { Hub } from "./hub.js";
import { Pending } from "./pending.js";
import { Random } from "./random.js";
import { Transfer } from "./transfer.js";
import { Vitals } from "./vitals.js";
import { openMemory, openWire } from "./ways.js";

/** @import { Reports } from "./host.js" */
/** @import { Address, TransportName } from "./ways.js" */

/**
 * What all processes of a run know.
 *
 * @typedef {object} Settings
 * @property {string} seed Of this process.
 * @property {string} folder Where keys are kept.
 * @property {number} idleTimeoutMs
 * @property {number} resumeWindowMs
 * @property {number} pendingMs How long a promise may take.
 * @property {number} links Channels that the Coordinator keeps up.
 */
/** @typedef {{ id: string, transport: TransportName }} ClientPlan */

const vitals = new Vitals();
/** @type {Settings} */
let settings;
/** @type {Hub | undefined} */
let hub;
/** @type {Agent[]} */
let agents = [];
/** @type {Transfer | undefined} */
let transfer;

/** @param {string} finding */
const report = (finding) => void process.send?.({ finding });
/** @type {Reports} */
const reports = {
  finding: report,
  note: (note) => void process.send?.({ note }),
  record: (record) => void process.send?.({ record }),
  counts: {},
  pending: new Pending(1, report),
};
for (const event of /** @type {const} */ (["unhandledRejection", "uncaughtException"]))
  process.on(event, (/** @type {unknown} */ error) => report(`${event}: ${stackOf(error)}`));

/** @type {{ [name: string]: (argument: any) => unknown }} */
const deeds = {
  /** @param {Settings} given */
  settle(given) {
    settings = given;
    reports.pending.stop();
    reports.pending = new Pending(settings.pendingMs, report);
  },

  /** @returns {Promise<Address | undefined>} Where it listens, if others are to reach it. */
  async hub({ isLocal = false, isIdle = false }) {
    hub = new Hub(newHost("coordinator"), settings);
    const address = isLocal ? undefined : await hub.listen(settings);
    if (!isIdle) hub.start();
    return address;
  },

  /** @param {{ clients: ClientPlan[], address: Address | undefined }} options */
  async agents({ clients, address }) {
    await Promise.all(
      clients.map(async (plan) => {
        const host = newHost(plan.id);
        const { folder } = settings;
        const keyPair = address === undefined ? await generateKeyPair() : await loadKeyPair(join(folder, `${plan.id}.pem`));
        const onDisturbed = () => void process.send?.({ disturbed: plan.id });
        const agent = new Agent(host, await access(plan, address, host.random), { keyPair, onDisturbed, ...settings });
        await agent.start();
        agents.push(agent);
      }),
    );
  },

  /** @param {{ client: ClientPlan, address: Address | undefined }} options */
  async transfer({ client, address }) {
    const host = newHost(client.id);
    transfer = await Transfer.join(host, await access(client, address, host.random), settings);
  },
  start: ({ bytes }) => transfer?.start(bytes),
  cut: ({ kind, bytes }) => transfer?.cut(kind, bytes),
  introduce: async ({ ids }) => void (await hub?.coordinator.introduce(ids[0], ids[1])),
  async transferred() {
    await transfer?.done();
    return { sent: transfer?.sent, received: transfer?.received };
  },

  sample: () => ({ sample: vitals.sample(), counts: reports.counts }),
  stats: () => hub?.coordinator.getStats(),
  async stop() {
    await Promise.all([...agents.map((agent) => agent.stop()), hub?.stop()]);
  },
  async close() {
    await Promise.all([...agents.map((agent) => agent.close()), transfer?.close()]);
    await hub?.close();
    [hub, agents, transfer] = [undefined, [], undefined];
    reports.pending.stop();
    vitals.stop();
    return await leftOpen();
  },
};

process.on("message", (/** @type {{ do: string, id: number, argument: unknown }} */ order) => {
  void carryOut(order);
});

/** @param {{ do: string, id: number, argument: unknown }} order */
async function carryOut({ do: name, id, argument }) {
  let result;
  try {
    result = await deeds[name]?.(argument);
  } catch (error) {
    report(`${name} failed: ${stackOf(error)}`);
  }
  process.send?.({ done: id, result });
}

/** @param {string} id */
function newHost(id) {
  return new Host(id, `${id}.${settings.seed}`, new Random(`${settings.seed} ${id}`), reports);
}

/** @param {ClientPlan} plan @param {Address | undefined} address @param {Random} random */
async function access({ transport }, address, random) {
  const { idleTimeoutMs } = settings;
  if (transport !== "memory" && address !== undefined) return await openWire(transport, address, { random, idleTimeoutMs });
  return await openMemory(/** @type {Hub} */ (hub).coordinator);
}

/** Sockets and the like take a moment to close; what is there after that was forgotten. */
async function leftOpen() {
  for (let tries = 0; tries < 50 && vitals.handles().length > 0; tries += 1) await pause(100);
  return vitals.handles();
}

/** @param {unknown} error */
function stackOf(error) {
  return error instanceof Error ? String(error.stack) : String(error);
}
