/** A process of the soak: the Coordinator, or Clients. It does what it is told by messages, and tells what it sees. */
import { setTimeout as pause } from "node:timers/promises";
import { Agent } from "./agent.ts";
import type { AgentOptions } from "./agent.ts";
import { Hub } from "./hub.ts";
import { Party } from "./party.ts";
import { Random } from "./random.ts";
import { Transfer } from "./transfer.ts";
import { Vitals } from "./vitals.ts";
import { Way } from "./way.ts";
import type { Address, TransportName } from "./way.ts";
import { Witness } from "./witness.ts";
import type { News } from "./witness.ts";

export interface Settings extends AgentOptions {
  seed: number;
}

export interface ClientPlan {
  id: string;
  transport: TransportName;
}

export type Deeds = typeof deeds;
export type Order = { id: number; name: keyof Deeds; args: unknown[] };
export type Report = News | { done: number; result: unknown };

const report = (news: Report): void => void process.send?.(news);
const witness = new Witness(report, 120_000);
const vitals = new Vitals();
const parties: Party[] = [];
let agents: Agent[] = [];
let hub: Hub | undefined;
let transfer: Transfer | undefined;
let isClosed = false;

const deeds = {
  async hub(settings: Settings, channels: number): Promise<Address> {
    const listening = await Hub.listen(newParty("coordinator", settings), settings);
    hub = listening.hub;
    if (channels > 0) hub.start(channels);
    return listening.address;
  },

  async agents(settings: Settings, plans: ClientPlan[], address: Address): Promise<void> {
    const starting = plans.map(async (plan) => Agent.start(...(await partyAndWay(plan, address, settings)), settings));
    agents = await Promise.all(starting);
  },

  async transfer(settings: Settings, plan: ClientPlan, address: Address, bytes: number): Promise<void> {
    transfer = await Transfer.start(...(await partyAndWay(plan, address, settings)), bytes, settings);
  },
  async introduce(first: string, second: string): Promise<true> {
    await hub!.coordinator.introduce(first, second);
    return true;
  },
  cut: (bytes: number) => transfer!.cut(bytes),
  async transferred() {
    await transfer!.done;
    return { sent: transfer!.sent, received: transfer!.received };
  },

  sample: () => ({ ...vitals.sample(), counts: witness.counts }),

  async stop(): Promise<void> {
    await Promise.all([...parties, ...agents].map((each) => each.stop()));
  },

  /** Resolves with what is left open. */
  async close(): Promise<string[]> {
    await Promise.all([...agents.map((agent) => agent.close()), transfer?.close()]);
    await hub?.close();
    [hub, agents, transfer] = [undefined, [], undefined];
    witness.stop();
    vitals.stop();
    isClosed = true;
    // Sockets take a moment to close; what is there after that was forgotten.
    for (let tries = 0; tries < 50 && vitals.handles().length > 0; tries += 1) await pause(100);
    return vitals.handles();
  },
};

for (const event of ["unhandledRejection", "uncaughtException"])
  process.on(event, (error: unknown) =>
    witness.find(`${event}: ${error instanceof Error ? error.stack : String(error)}`),
  );

// Whoever started it is gone.
process.on("disconnect", () => isClosed || process.exit(1));

process.on("message", (order: Order) => void carryOut(order));

async function carryOut({ id, name, args }: Order): Promise<void> {
  let result;
  try {
    result = await (deeds[name] as (...args: unknown[]) => unknown)(...args);
  } catch (error) {
    witness.find(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
  report({ done: id, result });
}

function newParty(id: string, { seed }: Settings): Party {
  const party = new Party(id, new Random(seed, id), witness);
  parties.push(party);
  return party;
}

async function partyAndWay({ id, transport }: ClientPlan, address: Address, settings: Settings): Promise<[Party, Way]> {
  const party = newParty(id, settings);
  return [party, await Way.open(transport, address, party.random.below(2 ** 30), settings.idleTimeoutMs)];
}
