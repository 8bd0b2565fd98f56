import { setTimeout as pause } from "node:timers/promises";
import { Client, generateKeyPair } from "../../src/index.ts";
import { anyCut, carryOut } from "./cuts.ts";
import { farewell, patience } from "./party.ts";
import type { Party } from "./party.ts";
import type { Way } from "./way.ts";

export interface AgentOptions {
  idleTimeoutMs: number;
  resumeWindowMs: number;
  reconnect: { firstDelayMs: number; maxDelayMs: number };
}

/** A Client that takes whatever channels come, is cut off now and then, leaves and comes back. */
export class Agent {
  readonly #party: Party;
  readonly #way: Way;
  readonly #options: AgentOptions;
  readonly #keyPair: CryptoKeyPair;
  readonly #stopping = new AbortController();
  #client!: Client;
  #running: Promise<void> | undefined;

  static async start(party: Party, way: Way, options: AgentOptions): Promise<Agent> {
    const agent = new Agent(party, way, options, await generateKeyPair());
    await agent.#join();
    agent.#running = agent.#run();
    return agent;
  }

  private constructor(party: Party, way: Way, options: AgentOptions, keyPair: CryptoKeyPair) {
    this.#party = party;
    this.#way = way;
    this.#options = options;
    this.#keyPair = keyPair;
  }

  /** Does nothing new; resolves when its streams are over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#party.stop();
  }

  /** Leaves for good, after {@link stop}. */
  async close(): Promise<void> {
    await this.#leave();
    await this.#party.close();
    await this.#way.close();
  }

  async #run(): Promise<void> {
    const { random } = this.#party;
    const { signal } = this.#stopping;
    for (;;) {
      await pause(random.between(500, 8000), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      if (random.chance(0.92)) await this.#cut();
      else {
        await this.#leave();
        await this.#join();
      }
    }
  }

  async #cut(): Promise<void> {
    const { id, random, witness } = this.#party;
    const kind = anyCut(random, this.#way);
    witness.count(`cut: ${kind}`);
    const { idleTimeoutMs } = this.#options;
    const cut = carryOut(kind, { client: this.#client, way: this.#way, random, idleTimeoutMs });
    await witness.watch(() => `${id} coming back after ${kind} (${this.#client.state})`, cut);
  }

  /** Not before a stream to the Coordinator was confirmed: with a connection that is down its word would not get there. */
  async #leave(): Promise<void> {
    const { id, witness } = this.#party;
    await this.#party.prepareToLeave();
    await this.#party.send(this.#client.coordinator, 1);
    await witness.watch(() => `${id} leaving`, this.#client.close(farewell));
    witness.count("left");
  }

  async #join(): Promise<void> {
    const { id, witness } = this.#party;
    this.#party.isLeaving = false;
    const client = await this.#connect();
    this.#client = client;
    const { coordinator } = client;
    client.addEventListener("statechange", () => {
      if (client.state === "reconnecting") witness.count("lost connections");
      if (client.state !== "connected") return;
      if (client.coordinator === coordinator) witness.count("resumed");
      else witness.find(`${id}: its channels were not resumed`);
    });
    client.closed.then(
      ({ reason }) => reason === farewell.reason || witness.find(`${id}: its Client was closed: ${reason}`),
      (error) => witness.find(`${id}: its Client ended: ${String(error)}`),
    );
    void this.#party.live(coordinator);
    void this.#take(client);
  }

  /** Tries again when the machine was too busy to answer. */
  async #connect(): Promise<Client> {
    const { id, random, witness } = this.#party;
    const { reconnect, resumeWindowMs } = this.#options;
    const [{ url, transport }, keyPair, limits] = [this.#way, this.#keyPair, { ...patience, resumeWindowMs }];
    const accept = (): boolean => !this.#party.isLeaving && !random.chance(0.02);
    for (;;) {
      try {
        return await Client.connect(url, { transport, id, keyPair, reconnect, limits, accept });
      } catch (error) {
        const code = witness.codeOf(error);
        witness.count(`not connected: ${code}`);
        if (!["unreachable", "timeout", "connection-lost"].includes(code)) throw error;
      }
    }
  }

  async #take(client: Client): Promise<void> {
    const open = new Set([client.coordinator]);
    for await (const channel of client.incomingChannels) {
      open.add(channel);
      void this.#party.live(channel, { others: () => [...open] }).finally(() => open.delete(channel));
    }
  }
}
