/**
 * conec: A and B are Clients, the relay is the Coordinator, which introduces them. A link is a data stream on their
 * Channel; what comes back (W3) travels on a second data stream of the same name, opened with the first answer.
 *
 * Two ways of writing and reading: tryWrite and tryRead as long as they say yes, or (`plainStreams`) nothing but what
 * every web stream has. Flow control is the streams' own.
 */

import { Client, Coordinator } from "conec";
import { listen, quic } from "conec/quic";

/** @typedef {import("conec").Channel} Channel */
/** @typedef {import("conec").MessageReadable} MessageReadable */
/** @typedef {import("conec").MessageWritable} MessageWritable */

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate: { cert, key }, options }) {
    const coordinator = new Coordinator({ authenticate: ({ requestedId }) => ({ id: requestedId }) });
    const listener = await listen({ host: "127.0.0.1", port: 0, cert, key, ...datagrams(options) });
    coordinator.serve(listener);
    void introduce(coordinator);
    return { port: listener.address.port };
  },

  async connect({ role, port, certificate, options }) {
    const client = await Client.connect(`https://127.0.0.1:${port}`, {
      transport: quic({
        serverCertificateHashes: [{ algorithm: "sha-256", value: certificate.hash }],
        ...datagrams(options),
      }),
      id: role,
    });
    const channel = await first(client.incomingChannels);
    const plain = options.plainStreams === true;

    /** @type {Map<string, StreamLink>} */
    const links = new Map();
    /** @type {(link: StreamLink) => void} */
    let onLink = () => {};
    void (async () => {
      for await (const readable of channel.incomingUnidirectionalStreams) {
        let link = links.get(readable.name);
        if (link === undefined) {
          link = new StreamLink(channel, readable.name, plain);
          onLink(link);
        }
        void link.read(readable);
      }
    })();

    return {
      async open() {
        const link = new StreamLink(channel, String(links.size), plain);
        links.set(link.name, link);
        await link.openWritable();
        return link;
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

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
      }
    }
  }
}

/**
 * Introduces A and B as soon as both have joined.
 * @param {Coordinator} coordinator
 */
async function introduce(coordinator) {
  let joined = 0;
  for await (const _channel of coordinator.incomingChannels) {
    joined++;
    if (joined === 2) await coordinator.introduce("a", "b");
  }
}

/**
 * @template T
 * @param {ReadableStream<T>} stream
 * @returns {Promise<T>}
 */
async function first(stream) {
  const reader = stream.getReader();
  const { done, value } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error("The Client ended before it was introduced");
  return value;
}

/** @param {import("../peers.js").RowOptions} options */
function datagrams({ maxDatagramBytes }) {
  return maxDatagramBytes === undefined ? {} : { maxDatagramBytes };
}
