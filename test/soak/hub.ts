import { setTimeout as pause } from "node:timers/promises";
import { Coordinator } from "../../src/index.ts";
import type { Channel } from "../../src/index.ts";
import { createSelfSignedCertificate, listen as listenQuic } from "../../src/transports/quic/index.ts";
import { listen as listenWebSocket } from "../../src/transports/websocket/node/index.ts";
import { farewell, patience } from "./party.ts";
import type { Party } from "./party.ts";
import type { Address } from "./way.ts";

/** The Coordinator: introduces Clients to each other again and again, and has channels with them itself. */
export class Hub {
  readonly coordinator: Coordinator;
  readonly #party: Party;
  readonly #running: Promise<void>[] = [];

  static async listen(
    party: Party,
    { idleTimeoutMs, resumeWindowMs }: { idleTimeoutMs: number; resumeWindowMs: number },
  ) {
    const coordinator = new Coordinator({
      authorize: () => true,
      limits: { ...patience, acceptTimeoutMs: patience.pairTimeoutMs, resumeWindowMs },
    });
    const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["127.0.0.1"] });
    const options = { host: "127.0.0.1", port: 0, cert, key, idleTimeoutMs };
    const [quic, websocket] = [await listenQuic(options), await listenWebSocket(options)];
    for (const listener of [quic, websocket]) coordinator.serve(listener);
    const ports = { quic: quic.address.port, websocket: websocket.address.port };
    const address: Address = { ports, hash: Buffer.from(hash).toString("hex") };
    return { hub: new Hub(party, coordinator), address };
  }

  private constructor(party: Party, coordinator: Coordinator) {
    this.#party = party;
    this.coordinator = coordinator;
  }

  /** Keeps so many channels between Clients up, and a quarter as many with itself. */
  start(channels: number): void {
    const { coordinator } = this;
    this.#running.push(
      this.#takeAll(coordinator.incomingChannels, false),
      this.#takeAll(coordinator.passedChannels, true),
      ...Array.from({ length: channels }, () => this.#keep((first, second) => this.#introduce(first, second))),
      ...Array.from({ length: Math.ceil(channels / 4) }, () => this.#keep((client) => this.#sendPort(client))),
    );
  }

  /** After all Clients have left. Nothing may be left of them. */
  async close(): Promise<void> {
    const { id, witness } = this.#party;
    await this.#party.close();
    const isIdle = ({ clients, links, bytesHeld }: { clients: number; links: number; bytesHeld: number }): boolean =>
      clients + links + bytesHeld === 0;
    for (let tries = 0; tries < 100 && !isIdle(await this.coordinator.getStats()); tries += 1) await pause(50);
    const stats = await this.coordinator.getStats();
    if (!isIdle(stats)) witness.find(`${id}: left of Clients that have gone: ${JSON.stringify(stats)}`);
    await witness.watch(() => `${id} closing`, this.coordinator.close(farewell));
    await Promise.all(this.#running);
  }

  async #takeAll(channels: ReadableStream<Channel>, mayEnd: boolean): Promise<void> {
    for await (const channel of channels) void this.#party.live(channel, mayEnd ? { others: this.#others } : {});
  }

  /** Has a channel made whenever the one before is over. */
  async #keep(make: (first: string, second: string) => Promise<void>): Promise<void> {
    const { random } = this.#party;
    while (!this.#party.isStopping) {
      await pause(random.between(100, 2000));
      const ids = [...this.coordinator.clients.keys()];
      if (!this.#party.isStopping && ids.length > 1) await make(random.pick(ids), random.pick(ids));
    }
  }

  /** Resolves when the channel is over. */
  async #introduce(first: string, second: string): Promise<void> {
    let over: Promise<unknown> | undefined;
    await this.#party.handOver(`introducing ${first} to ${second}`, "", async (metadata) => {
      over = (await this.coordinator.introduce(first, second, { metadata })).closed;
    });
    await over?.catch(() => {});
  }

  /** Sends one end of a channel to a Client, and keeps the other. */
  async #sendPort(client: string): Promise<void> {
    const { port1, port2 } = this.coordinator.createChannel();
    const what = `sending a channel to ${client}`;
    const target = this.coordinator.clients.get(client);
    if (
      target !== undefined &&
      (await this.#party.handOver(what, "", (metadata) => target.sendChannel(port1, { metadata })))
    )
      return await this.#party.live(port2, { others: this.#others });
    await port1.close(farewell);
  }

  readonly #others = (): Channel[] => [...this.coordinator.clients.values()];
}
