/**
 * conec: A and B are Clients, the relay is the Coordinator, which introduces them. A link is a data stream on their
 * Channel, or (`channels`) a Channel of its own; what comes back (W3) travels on a second data stream of the same name,
 * opened with the first answer. In W6 the Coordinator's program writes what A sends it to a stream for each Client.
 *
 * Two ways of writing and reading: tryWrite and tryRead as long as they say yes, or (`plainStreams`) nothing but what
 * every web stream has. Flow control is the streams' own.
 */

import { Client, Coordinator } from "conec";
import { listen, quic } from "conec/quic";
import { listen as listenWebSocket, websocket } from "conec/websocket";

/** @typedef {import("conec").Channel} Channel */
/** @typedef {import("conec").MessageReadable} MessageReadable */
/** @typedef {import("conec").MessageWritable} MessageWritable */

/** More Clients, channels and streams than by default, which are there against strangers; nothing else is changed. */
const manyOf = { maxClients: 10_000, pendingPerSource: 256, channelsPerClient: 10_000, requestsPerSecond: 10_000 };
const manyStreamsOf = { streamsPerChannel: 10_000, streamsPerClient: 10_000, controlMessagesPerSecond: 10_000 };

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate: { cert, key }, host, fanOut, options }) {
    const coordinator = new Coordinator({
      authenticate: ({ requestedId }) => ({ id: requestedId }),
      limits: { ...manyOf, ...manyStreamsOf },
    });
    const listener = options.websocket
      ? await listenWebSocket({ host, port: 0, cert, key })
      : await listen({ host, port: 0, cert, key, ...datagrams(options) });
    coordinator.serve(listener);
    void serve(coordinator, fanOut);
    return { port: listener.address.port };
  },

  async connect({ role, pair, host, port, certificate, fanOut, options }) {
    const serverCertificateHashes = [{ algorithm: /** @type {const} */ ("sha-256"), value: certificate.hash }];
    const client = await Client.connect(`https://${host}:${port}`, {
      transport: options.websocket
        ? websocket({ serverCertificateHashes })
        : quic({ serverCertificateHashes, ...datagrams(options) }),
      id: `${role}${pair}`,
      limits: { unreadChannels: 10_000 },
    });
    const plain = options.plainStreams === true;
    const channels = client.incomingChannels.getReader();
    const nextChannel = async () => {
      const { done, value } = await channels.read();
      if (done) throw new Error("The Client ended before it was introduced");
      return value;
    };
    /** @type {Map<string, StreamLink>} */
    const links = new Map();
    /** @type {(link: StreamLink) => void} */
    let onLink = () => {};
    const takeStreams = async (/** @type {Channel} */ channel) => {
      for await (const readable of channel.incomingUnidirectionalStreams) {
        let link = links.get(readable.name);
        if (link === undefined) {
          link = new StreamLink(channel, readable.name, plain);
          onLink(link);
        }
        void link.read(readable);
      }
    };
    const takeChannels = async () => {
      for (;;) void takeStreams(await nextChannel());
    };

    /** @type {Promise<Channel> | undefined} */
    let shared;
    if (fanOut) {
      shared = Promise.resolve(client.coordinator);
      void takeStreams(client.coordinator);
    } else if (role === "b") {
      void takeChannels();
    } else if (!options.channels) {
      shared = nextChannel();
      shared.then(takeStreams).catch(() => {});
    }
    return {
      async open() {
        if (options.channels) await client.coordinator.createUnidirectionalStream({ name: ASK });
        const link = new StreamLink(await (shared ?? nextChannel()), String(links.size), plain);
        links.set(link.name, link);
        await link.openWritable();
        return link;
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** The name of a stream by which a Client asks the Coordinator's program for another channel to its other half. */
const ASK = "one more channel";

/** A data stream at A or B, and the one that answers it: a Link. */
class StreamLink {
  #channel;
  #plain;
  /** @type {MessageWritable | undefined} */
  #writable;
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #writer;
  /** @type {(message: Uint8Array) => void} */
  #listener = () => {};
  /** @type {Promise<void> | undefined} */
  #resumed;
  #resume = () => {};

  /**
   * @param {Channel} channel
   * @param {string} name
   * @param {boolean} plain
   */
  constructor(channel, name, plain) {
    this.#channel = channel;
    this.name = name;
    this.#plain = plain;
  }

  async openWritable() {
    this.#writable = await this.#channel.createUnidirectionalStream({ name: this.name });
    this.#writer = this.#writable.getWriter();
  }

  /** @param {Uint8Array} message */
  send(message) {
    if (this.#writable === undefined) {
      void this.openWritable().then(() => this.send(message));
    } else if (this.#plain || !this.#writable.tryWrite(message)) {
      void this.#writer?.write(message);
    }
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    const writable = /** @type {MessageWritable} */ (this.#writable);
    const writer = /** @type {WritableStreamDefaultWriter<Uint8Array>} */ (this.#writer);
    for (let message = next(); message !== undefined; message = next()) {
      if (this.#plain) {
        await writer.ready;
        void writer.write(message);
      } else {
        while (!writable.tryWrite(message)) await writer.ready;
      }
    }
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    this.#listener = listener;
  }

  close() {
    void this.#writer?.close();
  }

  pause() {
    this.#resumed = new Promise((resolve) => (this.#resume = resolve));
  }

  resume() {
    this.#resumed = undefined;
    this.#resume();
  }

  /** @param {MessageReadable} readable */
  async read(readable) {
    if (this.#plain) {
      for await (const message of readable) this.#listener(message);
      return;
    }
    const reader = readable.getReader();
    for (let result = await reader.read(); !result.done; result = await reader.read()) {
      this.#listener(result.value);
      for (let message = readable.tryRead(); message !== undefined; message = readable.tryRead()) {
        this.#listener(message);
        if (this.#resumed !== undefined) break;
      }
      if (this.#resumed !== undefined) await this.#resumed;
    }
  }
}

/**
 * The Coordinator's program: introduces A and B of a pair as soon as both have joined, and as often as A asks for it.
 * @param {Coordinator} coordinator
 * @param {boolean} fanOut
 */
async function serve(coordinator, fanOut) {
  for await (const channel of coordinator.incomingChannels) {
    const { id } = channel.peer;
    const pair = id.slice(1);
    const introduce = () => coordinator.introduce(`a${pair}`, `b${pair}`);
    if (!fanOut && coordinator.clients.has(`a${pair}`) && coordinator.clients.has(`b${pair}`)) void introduce();
    void (async () => {
      for await (const readable of channel.incomingUnidirectionalStreams) {
        if (readable.name === ASK) void introduce();
        else void sendToAll(coordinator, readable);
      }
    })();
  }
}

/**
 * To every Client but A; the slowest decides.
 * @param {Coordinator} coordinator
 * @param {MessageReadable} readable
 */
async function sendToAll(coordinator, readable) {
  const channels = [...coordinator.clients.values()].filter(({ peer: { id } }) => id.startsWith("b"));
  const writables = await Promise.all(channels.map((channel) => channel.createUnidirectionalStream({ name: "0" })));
  const all = writables.map((writable) => ({ writable, writer: writable.getWriter() }));
  const send = async (/** @type {Uint8Array} */ message) => {
    for (const { writable, writer } of all) while (!writable.tryWrite(message)) await writer.ready;
  };
  const reader = readable.getReader();
  for (let result = await reader.read(); !result.done; result = await reader.read()) {
    await send(result.value);
    for (let message = readable.tryRead(); message !== undefined; message = readable.tryRead()) await send(message);
  }
}

/** @param {import("../peers.js").RowOptions} options */
function datagrams({ maxDatagramBytes }) {
  return maxDatagramBytes === undefined ? {} : { maxDatagramBytes };
}
