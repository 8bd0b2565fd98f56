/** The ways in which the connection of a Client is lost. */
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "../../src/index.ts";
import type { Random } from "./random.ts";
import type { Way } from "./way.ts";

export interface Cut {
  client: Client;
  way: Way;
  random: Random;
  idleTimeoutMs: number;
}

/** The last ones are for UDP only. */
const cuts = {
  /** The program says so. */
  reconnect: async ({ client }: Cut) => give(client),

  /** Again and again, before it is through with the time before: given up, silent for a moment, or both. */
  again: async ({ client, way, random }: Cut) => {
    for (let times = random.between(2, 4); times > 0; times -= 1) {
      give(client);
      await pause(random.below(random.pick([5, 40, 300])));
      if (random.chance(0.5)) way.silence();
      await pause(random.below(100));
      way.heal();
    }
  },

  /** Nothing gets through until it has noticed, and maybe for longer. */
  silence: async ({ client, way, random, idleTimeoutMs }: Cut) => {
    way.silence();
    await reaches(client, () => client.state !== "connected", idleTimeoutMs * 3);
    await pause(random.below(idleTimeoutMs));
  },

  /** For less time than it takes to notice. */
  blink: async ({ way, random, idleTimeoutMs }: Cut) => {
    way.silence();
    await pause(random.below(idleTimeoutMs / 2));
  },

  /** Silence in one direction only. */
  halfSilence: async ({ client, way, random, idleTimeoutMs }: Cut) => {
    way.silence(random.pick(["to-server", "to-client"]));
    await reaches(client, () => client.state !== "connected", idleTimeoutMs * 3);
    await pause(random.below(idleTimeoutMs));
  },

  /** Packets are lost while it comes back. */
  lossy: async ({ client, way, random }: Cut) => {
    way.lose(random.pick([0.1, 0.3, 0.5]));
    give(client);
    await reaches(client, () => client.state === "connected", 3000);
  },

  /** It comes from another address; no connection is lost. */
  rebind: async ({ way }: Cut) => way.rebind(),
};

export type CutKind = keyof typeof cuts;

const kinds = Object.keys(cuts) as CutKind[];

export function anyCut(random: Random, way: Way): CutKind {
  return random.pick(way.isUdp ? kinds : kinds.slice(0, 4));
}

/** Resolves when the way is good and the Client connected again. */
export async function carryOut(kind: CutKind, cut: Cut): Promise<void> {
  const { client, way } = cut;
  try {
    await cuts[kind](cut);
  } finally {
    way.heal();
  }
  await reaches(client, () => client.state === "connected" || client.state === "closed");
}

function give(client: Client): void {
  if (client.state !== "closed") client.reconnect();
}

/** Resolves when it is so, or the time is up. */
async function reaches(client: Client, isThere: () => boolean, limitMs?: number): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const late = limitMs === undefined ? undefined : pause(limitMs, "late", { signal }).catch(() => "late");
  while (!isThere()) {
    const changed = new Promise((resolve) => client.addEventListener("statechange", resolve, { once: true, signal }));
    if ((await Promise.race(late === undefined ? [changed] : [changed, late])) === "late") break;
  }
  over.abort();
}
