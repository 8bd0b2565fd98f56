import { Client, generateKeyPair } from "conec";
import { farewell } from "./channel-life.js";
import { isMessageOf, maxMessageBytes, messageOf } from "./content.js";
import { carryOut } from "./cuts.js";

/** @import { Channel, MessageReadable } from "conec" */
/** @import { CutKind } from "./cuts.js" */
/** @import { Host } from "./host.js" */
/** @import { Access } from "./ways.js" */

/**
 * Of each stream of a transfer: the largest message, and its share of the bytes.
 *
 * @type {readonly { largest: number, share: number }[]}
 */
const streams = [
  { largest: 100, share: 0.02 },
  { largest: 8192, share: 0.18 },
  { largest: 65_536, share: 0.3 },
  { largest: maxMessageBytes, share: 0.5 },
];

/** @typedef {{ messages: number, bytes: number }} Amount */

/** One end of a transfer in both directions, that is cut off when it is told to. */
export class Transfer {
  /** @type {Amount} */
  sent = { messages: 0, bytes: 0 };
  /** @type {Amount} */
  received = { messages: 0, bytes: 0 };
  #host;
  #access;
  #idleTimeoutMs;
  #client;
  /** @type {Promise<void> | undefined} */
  #running;
  /** Who waits for so many bytes to have come. @type {{ bytes: number, resolve: (value?: undefined) => void } | undefined} */
  #waiting;

  /** @param {Host} host @param {Access} access @param {{ idleTimeoutMs: number, resumeWindowMs: number }} options */
  static async join(host, access, { idleTimeoutMs, resumeWindowMs }) {
    const client = await Client.connect(access.url, {
      transport: access.transport,
      headStartMs: 200,
      id: host.id,
      keyPair: await generateKeyPair(),
      reconnect: { firstDelayMs: 5, maxDelayMs: 200 },
      limits: { resumeWindowMs },
    });
    return new Transfer(host, access, idleTimeoutMs, client);
  }

  /** @param {Host} host @param {Access} access @param {number} idleTimeoutMs @param {Client} client */
  constructor(host, access, idleTimeoutMs, client) {
    this.#host = host;
    this.#access = access;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#client = client;
    const { coordinator } = client;
    client.addEventListener("statechange", () => {
      if (client.state === "connected") host.count(client.coordinator === coordinator ? "resumed" : "not resumed");
    });
  }

  /** Over the first channel that comes. @param {number} bytes To send. */
  start(bytes) {
    this.#running = this.#run(bytes);
    this.#running.catch(() => {});
  }

  /** Resolves when everything was sent and received. */
  async done() {
    await this.#running;
  }

  /** Cuts the Client off when it has received so much; resolves when it is back, with the time that took. @param {CutKind} kind @param {number} bytes */
  async cut(kind, bytes) {
    await new Promise((resolve) => {
      this.#waiting = { bytes, resolve };
      this.#look();
    });
    const { random } = this.#host;
    const sinceMs = performance.now();
    await carryOut(kind, { client: this.#client, way: this.#access.way, random, idleTimeoutMs: this.#idleTimeoutMs });
    return performance.now() - sinceMs;
  }

  async close() {
    await this.#client.close(farewell);
    await this.#access.way.close();
  }

  /** @param {number} bytes */
  async #run(bytes) {
    const incoming = this.#client.incomingChannels.getReader();
    const { value: channel } = await incoming.read();
    if (channel === undefined) throw new Error("There was no channel");
    const readables = channel.incomingUnidirectionalStreams.getReader();
    const reading = streams.map(async () => {
      const { value } = await readables.read();
      if (value === undefined) throw new Error("There was no stream");
      await this.#read(value);
    });
    await Promise.all([...reading, ...streams.map((_, index) => this.#write(channel, index, bytes))]);
  }

  /** @param {Channel} channel @param {number} index @param {number} bytes */
  async #write(channel, index, bytes) {
    const { largest, share } = /** @type {typeof streams[number]} */ (streams[index]);
    const content = { seed: this.#host.random.below(2 ** 31), largest };
    const writable = await channel.createUnidirectionalStream({ metadata: content });
    const writer = writable.getWriter();
    for (let i = 0, rest = bytes * share; rest > 0; i += 1) {
      const message = messageOf(content, i);
      await writer.ready;
      writer.write(message).catch(() => {});
      rest -= message.length;
      this.sent.messages += 1;
      this.sent.bytes += message.length;
    }
    await writer.close();
  }

  /** @param {MessageReadable} readable */
  async #read(readable) {
    const content = /** @type {import("./content.js").Content} */ (/** @type {unknown} */ (readable.metadata));
    let index = 0;
    for await (const message of readable) {
      if (!isMessageOf(message, content, index)) {
        this.#host.finding(`${this.#host.id}: message ${index} of at most ${content.largest} bytes is not what was sent`);
      }
      index += 1;
      this.received.messages += 1;
      this.received.bytes += message.length;
      this.#look();
    }
  }

  #look() {
    if (this.#waiting === undefined || this.received.bytes < this.#waiting.bytes) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
