/** The ways in which the connection of a Client is lost. Each resolves when the Client is connected again, or closed. */
import { setTimeout as pause } from "node:timers/promises";

/** @import { Client } from "conec" */
/** @import { Random } from "./random.js" */
/** @import { Way } from "./ways.js" */

/** @typedef {"reconnect" | "again" | "lossy" | "silent" | "half" | "blink" | "rebind" | "reset"} CutKind */
/** @typedef {{ client: Client, way: Way, random: Random, idleTimeoutMs: number }} Cut */

/** @type {Record<CutKind, (cut: Cut) => Promise<void>>} */
const cuts = {
  /** The program says so. */
  reconnect: async ({ client }) => give(client),

  /** Again and again, before it is through with the time before: given up, silent for a moment, or both. */
  again: async ({ client, way, random }) => {
    for (let times = random.between(2, 4); times > 0; times -= 1) {
      give(client);
      await pause(random.below(random.pick([5, 40, 300])));
      if (random.chance(0.5)) way.silence();
      await pause(random.below(100));
      way.heal();
    }
  },

  /** Packets are lost while it comes back. */
  lossy: async ({ client, way, random }) => {
    way.lose(random.pick([0.1, 0.3, 0.5]));
    give(client);
    await connected(client, 3000);
  },

  /** Nothing gets through until it has noticed, and maybe for longer. */
  silent: async ({ client, way, random, idleTimeoutMs }) => {
    way.silence();
    await noticed(client, idleTimeoutMs * 3);
    await pause(random.below(idleTimeoutMs));
  },

  /** In one direction only. */
  half: async ({ client, way, random, idleTimeoutMs }) => {
    way.silence(random.pick(["to-server", "to-client"]));
    await noticed(client, idleTimeoutMs * 3);
    await pause(random.below(idleTimeoutMs));
  },

  /** For less time than it takes to notice. */
  blink: async ({ way, random, idleTimeoutMs }) => {
    way.silence();
    await pause(random.below(idleTimeoutMs / 2));
  },

  /** It comes from another address. */
  rebind: async ({ way }) => way.rebind(),

  /** Without a word, at both ends at once; nothing of the kind over UDP. */
  reset: async ({ way }) => way.reset(),
};

export const cutKinds = /** @type {readonly CutKind[]} */ (Object.keys(cuts));

/** @param {CutKind} kind @param {Cut} cut */
export async function carryOut(kind, cut) {
  try {
    await cuts[kind](cut);
  } finally {
    cut.way.heal();
  }
  await connected(cut.client);
}

/** @param {Client} client */
function give(client) {
  if (client.state !== "closed") client.reconnect();
}

/** @param {Client} client @param {number} limitMs */
async function noticed(client, limitMs) {
  await reaches(client, () => client.state !== "connected", limitMs);
}

/** @param {Client} client @param {number} [limitMs] */
async function connected(client, limitMs) {
  await reaches(client, () => client.state === "connected" || client.state === "closed", limitMs);
}

/** @param {Client} client @param {() => boolean} isThere @param {number} [limitMs] */
async function reaches(client, isThere, limitMs) {
  const over = new AbortController();
  const { signal } = over;
  const late = limitMs === undefined ? new Promise(() => {}) : pause(limitMs, "late", { signal }).catch(() => {});
  while (!isThere()) {
    const changed = new Promise((resolve) => client.addEventListener("statechange", resolve, { once: true, signal }));
    if ((await Promise.race([changed, late])) === "late") break;
  }
  over.abort();
}
