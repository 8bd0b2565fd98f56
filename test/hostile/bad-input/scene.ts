import { setTimeout } from "node:timers/promises";
import { expect, vi } from "vitest";
import type { Channel, Client, CoordinatorOptions } from "../../../src/index.ts";
import { Hub, next } from "../../support/hub.ts";
import type { TransportKind } from "../../support/hub.ts";
import { isMessage, message, random } from "../../support/messages.ts";
import { Eve } from "./eve.ts";
import type { HostileKind } from "./http3-kind.ts";
import { within } from "./within.ts";

/** Carol does not read a stream of this name. */
export const unreadName = "unread";

/**
 * A Coordinator with honest Clients. Alice sends messages to Bob all the time, over a channel that goes through the
 * Coordinator, and every byte of them is checked. Carol takes the channels and reads the streams that Eve gives her.
 */
export class Scene {
  readonly hub: Hub;
  readonly carol: Client;
  /** What she was given and is still open. */
  readonly carolsChannels = new Set<Channel>();
  /** Is told what Carol reads, and from whose channel. */
  onCarol: (from: string, message: Uint8Array) => void = () => {};
  #received = 0;
  /** Wake who waits for more. */
  readonly #waiting: (() => void)[] = [];
  #stopped = false;
  readonly #transfer: Promise<void>;

  static async start(kind: TransportKind, options: CoordinatorOptions = {}): Promise<Scene> {
    // Eve joins as she likes, whoever has been "eve" before.
    const limits = { resumeWindowMs: 10, ...options.limits };
    const hub = await Hub.start(kind, { duplicateId: "newest", ...options, limits });
    void takeEverything(hub.coordinator.incomingChannels, (channel) => takeStreams(channel));
    const alice = await hub.join("alice");
    const bob = await hub.join("bob");
    const { pairTimeoutMs } = options.limits ?? {};
    const carol = await hub.join("carol", pairTimeoutMs === undefined ? {} : { limits: { pairTimeoutMs } });
    const scene = new Scene(hub, carol, await hub.link(alice, bob));
    const onMessage: OnMessage = (...heard) => scene.onCarol(...heard);
    const take = (channel: Channel): Promise<void> => {
      scene.carolsChannels.add(channel);
      const forget = (): boolean => scene.carolsChannels.delete(channel);
      channel.closed.then(forget, forget);
      return takeStreams(channel, onMessage);
    };
    void takeEverything(carol.incomingChannels, take);
    void takeStreams(carol.coordinator).catch(() => {});
    await scene.goesOn();
    return scene;
  }

  private constructor(hub: Hub, carol: Client, [a, b]: [Channel, Channel]) {
    this.hub = hub;
    this.carol = carol;
    this.#transfer = Promise.all([this.#send(a), this.#receive(b)]).then(() => {});
    this.#transfer.catch(() => {});
  }

  /** Somebody who will join by this id, and may be introduced to Carol. */
  async eve(id = "eve"): Promise<Eve> {
    const { hub } = this;
    const { connectEve = (url) => hub.transport.connect(url) } = hub.kind as HostileKind;
    const connection = await connectEve(hub.url);
    return new Eve({ connection, url: hub.url, introduce: () => hub.coordinator.introduce(id, "carol") });
  }

  /** From now on, channels that are handed to the Coordinator are closed. */
  closePassed(): void {
    void takeEverything(this.hub.coordinator.passedChannels, (channel) => channel.close());
  }

  /** Resolves when more of the honest messages have arrived. */
  async goesOn(): Promise<void> {
    const wanted = this.#received + 3;
    const arrived = async (): Promise<void> => {
      while (this.#received < wanted) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    await within(2000, Promise.race([arrived(), this.#transfer]), () => "no honest message");
  }

  /** Resolves when the Coordinator has nothing of Eve any more. */
  async isTidy(): Promise<void> {
    const { coordinator } = this.hub;
    await vi.waitFor(
      async () => expect(await coordinator.getStats()).toMatchObject({ clients: 3, pending: 0, links: 1 }),
      { timeout: 5000, interval: 5 },
    );
    expect([...coordinator.clients.keys()]).toEqual(["alice", "bob", "carol"]);
    await vi.waitFor(async () => expect((await this.carol.getStats()).channels).toBe(1), {
      timeout: 5000,
      interval: 5,
    });
  }

  /** Messages that Bob has received. */
  get received(): number {
    return this.#received;
  }

  /** Everything that Alice sent has reached Bob. */
  async end(): Promise<void> {
    this.#stopped = true;
    await this.#transfer;
    await this.hub.close();
  }

  async #send(channel: Channel): Promise<void> {
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    for (let index = 0; !this.#stopped; index += 1) {
      await writer.write(message(index, lengthOf(index)));
      await setTimeout(1); // everybody is in this process
    }
    await writer.close();
  }

  async #receive(channel: Channel): Promise<void> {
    let index = 0;
    for await (const received of await next(channel.incomingUnidirectionalStreams)) {
      if (!isMessage(received, index, lengthOf(index))) throw new Error(`Message ${index} is not what was sent`);
      index += 1;
      this.#received = index;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }
}

/** Carol and the Coordinator still have to do with each other. */
export async function carolWorks({ hub, carol }: Scene): Promise<void> {
  await (await carol.coordinator.createUnidirectionalStream()).close();
  await (await hub.coordinator.clients.get("carol")!.createUnidirectionalStream()).close();
}

/** From nothing to many packets. */
function lengthOf(index: number): number {
  return index % 7 === 0 ? 0 : Math.floor(random(index) * 20_000);
}

type OnMessage = (from: string, message: Uint8Array) => void;

async function takeEverything(
  channels: ReadableStream<Channel>,
  take: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  for await (const channel of channels) void take(channel).catch(() => {});
}

async function takeStreams(channel: Channel, onMessage: OnMessage = () => {}): Promise<void> {
  const write = (message: Uint8Array): void => onMessage(channel.peer.id, message);
  for await (const readable of channel.incomingUnidirectionalStreams) {
    if (readable.name !== unreadName) readable.pipeTo(new WritableStream({ write })).catch(() => {});
  }
}
