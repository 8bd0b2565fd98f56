import { Client } from "conec";
import { setTimeout as pause } from "node:timers/promises";
import { farewell, live } from "./channel-life.js";
import { carryOut, cutKinds } from "./cuts.js";
import { codeOf } from "./pending.js";

/** @import { Channel } from "conec" */
/** @import { Host } from "./host.js" */
/** @import { Access } from "./ways.js" */

/**
 * @typedef {object} AgentOptions
 * @property {CryptoKeyPair} keyPair
 * @property {number} idleTimeoutMs
 * @property {number} resumeWindowMs
 * @property {() => void} onDisturbed Its channels are about to end without a close, by what it does.
 */

/** A Client that takes whatever channels come, is cut off now and then, leaves and comes back. */
export class Agent {
  /** @type {Client | undefined} */
  #client;
  #host;
  #access;
  #options;
  /** Those passed to it. @type {Set<Channel>} */
  #channels = new Set();
  /** @type {Set<Promise<void>>} */
  #lives = new Set();
  /** @type {Promise<void> | undefined} */
  #running;
  #stopping = new AbortController();

  /** @param {Host} host @param {Access} access @param {AgentOptions} options */
  constructor(host, access, options) {
    this.#host = host;
    this.#access = access;
    this.#options = options;
  }

  async start() {
    await this.#join();
    this.#running = this.#run();
  }

  /** Does nothing new, and waits until its streams are over. */
  async stop() {
    this.#host.stopping = true;
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#lives);
  }

  /** Leaves for good, after {@link stop}. */
  async close() {
    await this.#leave();
    await this.#access.way.close();
  }

  async #run() {
    const { random } = this.#host;
    const { signal } = this.#stopping;
    for (;;) {
      await pause(random.between(500, 8000), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const dice = random.next();
      if (dice < 0.92) await this.#cut();
      else if (dice < 0.96) await this.#leaveAndReturn();
      else await this.#replace();
    }
  }

  async #cut() {
    const { id, random, pending } = this.#host;
    const kind = random.pick(cutKinds);
    this.#host.count(`cut: ${kind}`);
    const { idleTimeoutMs } = this.#options;
    this.#host.note(`cut: ${kind}`);
    const cut = { client: this.#current, way: this.#access.way, random, idleTimeoutMs };
    await pending.watch(() => `${id}: coming back after ${kind} (${this.#current.state})`, carryOut(kind, cut));
    this.#host.note(`is back`);
  }

  async #leaveAndReturn() {
    await this.#leave();
    this.#host.count("left and returned");
    await this.#join();
  }

  async #leave() {
    const client = this.#current;
    this.#client = undefined;
    this.#host.note(`leaves (${client.state})`);
    const sinceMs = performance.now();
    const wasConnected = client.state === "connected";
    await this.#host.pending.watch(() => `${this.#host.id}: leaving`, client.close(farewell));
    // Else it was lost meanwhile, and the Coordinator does not know that it has left.
    if (!wasConnected || performance.now() - sinceMs > 1000) this.#options.onDisturbed();
  }

  /** Another one with the same key takes its place. */
  async #replace() {
    const { id, pending } = this.#host;
    const former = this.#current;
    this.#client = undefined;
    this.#host.note("is replaced");
    this.#options.onDisturbed();
    await this.#join();
    const code = await pending.watch(() => `${id}: being replaced`, former.closed.then(() => "closed", codeOf));
    this.#host.count(`replaced: ${code}`);
    if (code !== "replaced") this.#host.finding(`${id}: its Client was replaced, and ended with ${code}`);
  }

  async #join() {
    const client = await this.#connect();
    this.#client = client;
    this.#watch(client);
    this.#live(client.coordinator, false);
    void this.#take(client);
  }

  async #connect() {
    const { id, random, pending } = this.#host;
    const { url, transport } = this.#access;
    const { keyPair, resumeWindowMs } = this.#options;
    const connect = () =>
      Client.connect(url, {
        transport,
        headStartMs: 200,
        id,
        keyPair,
        reconnect: { firstDelayMs: 20, maxDelayMs: 500 },
        limits: { resumeWindowMs },
        accept: () => !random.chance(0.02),
      });
    for (;;) {
      try {
        return await pending.watch(() => `${id}: connecting`, connect());
      } catch (error) {
        const code = this.#host.endedBy(error);
        this.#host.count(`not connected: ${code}`);
        if (!["timeout", "unreachable", "connection-lost"].includes(code)) throw error;
      }
    }
  }

  /** @param {Client} client */
  #watch(client) {
    const { id } = this.#host;
    let own = client.coordinator;
    client.addEventListener("statechange", () => {
      this.#host.note(`${client.state} ${client.error?.message ?? ""}`);
      if (client.state === "reconnecting") this.#host.count("lost connections");
      if (client.state !== "connected") return;
      if (client.coordinator === own) return this.#host.count("resumed");
      this.#host.count("not resumed");
      this.#host.record({ key: "session", side: "channel", self: id, peer: "coordinator", outcome: "connection-lost" });
      own = client.coordinator;
      this.#live(own, false);
    });
    client.closed.then(
      ({ reason }) => {
        if (reason !== farewell.reason) this.#host.finding(`${id}: its Client was closed: ${reason}`);
      },
      (error) => {
        if (client === this.#client) this.#host.finding(`${id}: its Client ended: ${String(error)}`);
      },
    );
  }

  /** @param {Client} client */
  async #take(client) {
    for await (const channel of client.incomingChannels) {
      this.#channels.add(channel);
      this.#host.count("channels");
      void this.#live(channel, true).finally(() => this.#channels.delete(channel));
    }
  }

  /** @param {Channel} channel @param {boolean} mayEnd */
  #live(channel, mayEnd) {
    const others = () => [...this.#channels, ...(this.#client === undefined ? [] : [this.#client.coordinator])];
    const life = live(channel, this.#host, { mayEnd, others }).finally(() => this.#lives.delete(life));
    this.#lives.add(life);
    return life;
  }

  get #current() {
    return /** @type {Client} */ (this.#client);
  }
}
