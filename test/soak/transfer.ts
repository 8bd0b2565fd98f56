import { Client, generateKeyPair } from "../../src/index.ts";
import type { Channel, MessageReadable } from "../../src/index.ts";
import type { AgentOptions } from "./agent.ts";
import { isMessageOf, maxMessageBytes, messageOf } from "./content.ts";
import type { Content } from "./content.ts";
import { anyCut, carryOut } from "./cuts.ts";
import { farewell, patience } from "./party.ts";
import type { Party } from "./party.ts";
import type { Way } from "./way.ts";

/** Of each stream of a transfer: the largest message, and its share of the bytes. */
const streams = [
  { largest: 100, share: 0.02 },
  { largest: 8192, share: 0.18 },
  { largest: 65_536, share: 0.3 },
  { largest: maxMessageBytes, share: 0.5 },
];

export interface Amount {
  messages: number;
  bytes: number;
}

/** One end of a transfer in both directions, over the first channel that comes, that is cut off when it is told to. */
export class Transfer {
  readonly sent: Amount = { messages: 0, bytes: 0 };
  readonly received: Amount = { messages: 0, bytes: 0 };
  readonly #party: Party;
  readonly #way: Way;
  readonly #idleTimeoutMs: number;
  readonly #client: Client;
  /** Resolves when everything was sent and received. */
  readonly done: Promise<void>;
  /** What waits for so many bytes to have come. */
  #waiting: { bytes: number; resolve: () => void } | undefined;

  static async start(party: Party, way: Way, bytes: number, options: AgentOptions): Promise<Transfer> {
    const { reconnect, idleTimeoutMs, resumeWindowMs } = options;
    const { url, transport } = way;
    const keyPair = await generateKeyPair();
    const limits = { ...patience, resumeWindowMs };
    const client = await Client.connect(url, { transport, id: party.id, keyPair, reconnect, limits });
    return new Transfer(party, way, client, bytes, idleTimeoutMs);
  }

  private constructor(party: Party, way: Way, client: Client, bytes: number, idleTimeoutMs: number) {
    this.#party = party;
    this.#way = way;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#client = client;
    const { coordinator } = client;
    client.addEventListener("statechange", () => {
      if (client.state === "connected")
        party.witness.count(client.coordinator === coordinator ? "resumed" : "not resumed");
    });
    this.done = this.#run(bytes);
    this.done.catch(() => {});
  }

  /** Cuts the Client off when it has received so much; resolves when it is back. */
  async cut(bytes: number): Promise<{ kind: string; tookMs: number }> {
    const { id, random, witness } = this.#party;
    const come = new Promise<void>((resolve) => (this.#waiting = { bytes, resolve }));
    this.#look();
    await witness.watch(() => `${id} receiving ${Math.round(bytes)} bytes (${this.received.bytes})`, come);
    const kind = random.chance(0.5) ? "reconnect" : anyCut(random, this.#way);
    const sinceMs = performance.now();
    const cut = { client: this.#client, way: this.#way, random, idleTimeoutMs: this.#idleTimeoutMs };
    await witness.watch(() => `${id} coming back after ${kind} (${this.#client.state})`, carryOut(kind, cut));
    return { kind, tookMs: performance.now() - sinceMs };
  }

  async close(): Promise<void> {
    await this.#client.close(farewell);
    await this.#way.close();
  }

  async #run(bytes: number): Promise<void> {
    const { value: channel } = await this.#client.incomingChannels.getReader().read();
    const incoming = channel!.incomingUnidirectionalStreams.getReader();
    const reading = streams.map(async () => this.#read((await incoming.read()).value!));
    const writing = streams.map(({ largest, share }) => this.#write(channel!, largest, bytes * share));
    await Promise.all([...reading, ...writing]);
  }

  async #write(channel: Channel, largest: number, bytes: number): Promise<void> {
    const content = { seed: this.#party.random.below(2 ** 31), largest };
    const writable = await channel.createUnidirectionalStream({ metadata: content });
    const writer = writable.getWriter();
    for (let i = 0, rest = bytes; rest > 0; i += 1) {
      const message = messageOf(content, i);
      await writer.ready;
      writer.write(message).catch(() => {});
      rest -= message.length;
      this.sent.messages += 1;
      this.sent.bytes += message.length;
    }
    await writer.close();
  }

  async #read(readable: MessageReadable): Promise<void> {
    const content = readable.metadata as unknown as Content;
    let index = 0;
    for await (const message of readable) {
      if (!isMessageOf(message, content, index))
        throw new Error(`Message ${index} of the stream of up to ${content.largest} bytes is not what was sent`);
      index += 1;
      this.received.messages += 1;
      this.received.bytes += message.length;
      this.#look();
    }
  }

  #look(): void {
    if (this.#waiting === undefined || this.received.bytes < this.#waiting.bytes) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
