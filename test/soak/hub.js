import { Coordinator } from "conec";
import { createSelfSignedCertificate, listen as listenQuic } from "conec/quic";
import { listen as listenWebSocket } from "conec/websocket";
import { setTimeout as pause } from "node:timers/promises";
import { farewell, live } from "./channel-life.js";
import { codeOf } from "./pending.js";

/** @import { Channel } from "conec" */
/** @import { Host } from "./host.js" */
/** @import { Address } from "./ways.js" */

/** The Coordinator of the soak: introduces Clients to each other, and takes part in channels itself. */
export class Hub {
  coordinator;
  #host;
  /** Of Clients with each other, and with this program. */
  #wanted;
  /** Those with this program. @type {Set<Channel>} */
  #ports = new Set();
  #links = 0;
  /** @type {Set<Promise<void>>} */
  #lives = new Set();
  /** @type {Promise<void>[]} */
  #running = [];
  #stopping = new AbortController();

  /** @param {Host} host @param {{ links: number, resumeWindowMs: number }} options */
  constructor(host, { links, resumeWindowMs }) {
    this.#host = host;
    this.#wanted = links;
    this.coordinator = new Coordinator({ authorize: () => true, limits: { resumeWindowMs } });
  }

  /** Over QUIC and WebSocket, at one port. @param {{ idleTimeoutMs: number }} options @returns {Promise<Address>} */
  async listen({ idleTimeoutMs }) {
    const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["127.0.0.1"] });
    const options = { host: "127.0.0.1", cert, key, idleTimeoutMs };
    for (;;) {
      const quic = await listenQuic({ ...options, port: 0 });
      try {
        const { port } = quic.address;
        const webSocket = await listenWebSocket({ ...options, port });
        this.coordinator.serve(quic);
        this.coordinator.serve(webSocket);
        return { port, hash: Buffer.from(hash).toString("hex") };
      } catch (error) {
        await quic.close();
        if (codeOf(error) !== "address-in-use") throw error;
      }
    }
  }

  start() {
    const own = this.#takeAll(this.coordinator.incomingChannels, false);
    const passed = this.#takeAll(this.coordinator.passedChannels, true);
    this.#running = [own, passed];
    void this.#makeChannels();
  }

  /** Does nothing new, and waits until its streams are over. */
  async stop() {
    this.#host.stopping = true;
    this.#stopping.abort();
    await Promise.all(this.#lives);
  }

  /** After {@link stop}, when all Clients have left. */
  async close() {
    const { pending, id } = this.#host;
    const { clients, links, bytesHeld } = await this.#settled();
    if (clients + links + bytesHeld > 0)
      this.#host.finding(`${id}: left over are ${clients} Clients, ${links} links, ${bytesHeld} bytes`);
    await pending.watch(() => `${id}: closing`, this.coordinator.close(farewell));
    await Promise.all(this.#running);
  }

  /** Its figures, once there is nothing left, or after a while. */
  async #settled() {
    for (let tries = 0; ; tries += 1) {
      const stats = await this.coordinator.getStats();
      if (stats.clients + stats.links + stats.bytesHeld === 0 || tries === 100) return stats;
      await pause(200);
    }
  }

  /** @param {ReadableStream<Channel>} channels @param {boolean} mayEnd */
  async #takeAll(channels, mayEnd) {
    for await (const channel of channels) void this.#live(channel, mayEnd);
  }

  async #makeChannels() {
    const { random } = this.#host;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await pause(random.between(20, 200), undefined, { signal }).catch(() => {});
      const ids = [...this.coordinator.clients.keys()];
      if (signal.aborted || ids.length < 2) continue;
      if (this.#links < this.#wanted) void this.#introduce(random.pick(ids), random.pick(ids));
      if (this.#ports.size < this.#wanted / 4) void this.#keepPort(random.pick(ids));
    }
  }

  /** @param {string} first @param {string} second */
  async #introduce(first, second) {
    const { id, pending } = this.#host;
    this.#links += 1;
    try {
      const introduced = this.coordinator.introduce(first, second);
      const link = await pending.watch(() => `${id}: introducing ${first} to ${second}`, introduced);
      this.#host.count("introductions");
      await link.closed.catch(() => {});
    } catch (error) {
      this.#failed("introduced", error);
    } finally {
      this.#links -= 1;
    }
  }

  /** Sends one end of a channel to a Client, and keeps the other. @param {string} client */
  async #keepPort(client) {
    const { id, pending } = this.#host;
    const { port1, port2 } = this.coordinator.createChannel();
    this.#ports.add(port2);
    try {
      const sent = this.coordinator.clients.get(client)?.sendChannel(port1);
      await pending.watch(() => `${id}: sending a channel to ${client}`, Promise.resolve(sent));
      if (sent === undefined) return;
      this.#host.count("ports");
      await this.#live(port2, true);
    } catch (error) {
      this.#failed("sent", error);
    } finally {
      this.#ports.delete(port2);
      await Promise.all([port1, port2].map((port) => port.close(farewell).catch(() => {})));
    }
  }

  /** @param {string} what @param {unknown} error */
  #failed(what, error) {
    const code = this.#host.endedBy(error);
    this.#host.count(`not ${what}: ${code}`);
    if (!["peer-lost", "refused", "limit-exceeded", "timeout", "closed"].includes(code))
      this.#host.finding(`${this.#host.id}: not ${what}: ${String(error)}`);
  }

  /** @param {Channel} channel @param {boolean} mayEnd */
  #live(channel, mayEnd) {
    const others = () => [...this.coordinator.clients.values(), ...this.#ports];
    const life = live(channel, this.#host, { mayEnd, others }).finally(() => this.#lives.delete(life));
    this.#lives.add(life);
    return life;
  }
}
