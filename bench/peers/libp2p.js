/**
 * js-libp2p over TCP with noise and yamux. R is a circuit relay (v2) without limits on time and bytes; B has a reservation
 * there, A dials B through it. A link is a stream between them. The connection A–B is encrypted end to end, inside the
 * encrypted connections to the relay: more than the other rows do. Flow control is yamux's.
 */

import { deframer, frame, inBatches } from "../framing.js";
import { load } from "./packages/load.js";

const PROTOCOL = "/bench/1";
const DIAL_PATIENCE_MS = 10_000;
const BUFFER_BYTES = 64 << 20;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ host }) {
    const { circuitRelayServer } = await load("@libp2p/circuit-relay-v2");
    const { identify } = await load("@libp2p/identify");
    const node = await makeNode({
      addresses: { listen: [`/ip4/${host}/tcp/0`] },
      services: {
        identify: identify(),
        relay: circuitRelayServer({
          reservations: { maxReservations: 10_000, applyDefaultLimit: false },
          maxInboundHopStreams: 10_000,
          maxOutboundHopStreams: 10_000,
          maxOutboundStopStreams: 10_000,
        }),
      },
    });
    const port = Number(node.getMultiaddrs()[0].toString().split("/")[4]);
    return { port, id: node.peerId.toString() };
  },

  async connect({ role, pair, host, port, id, bulk, options }) {
    const { circuitRelayTransport } = await load("@libp2p/circuit-relay-v2");
    const { identify } = await load("@libp2p/identify");
    const { multiaddr } = await load("@multiformats/multiaddr");
    const { generateKeyPairFromSeed } = await load("@libp2p/crypto/keys");
    const relay = `/ip4/${host}/tcp/${port}/p2p/${id}`;
    // B's name has to be known to A: it follows from the pair.
    const keyOf = (/** @type {number} */ name) =>
      generateKeyPairFromSeed("Ed25519", Buffer.alloc(32).fill(`bench ${name} `));
    const node = await makeNode({
      ...(role === "b" ? { privateKey: await keyOf(pair) } : {}),
      addresses: { listen: role === "b" ? [`${relay}/p2p-circuit`] : [] },
      transports: [circuitRelayTransport()],
      services: { identify: identify() },
    });
    if (role === "a") await node.dial(multiaddr(relay));
    /** @type {(link: StreamLink) => void} */
    let onLink = () => {};
    await node.handle(PROTOCOL, (/** @type {any} */ stream) => onLink(new StreamLink(stream, bulk)), {
      maxInboundStreams: 10_000,
      maxOutboundStreams: 10_000,
      runOnLimitedConnection: true,
    });
    if (role === "b") await until(() => node.getMultiaddrs().length > 0);
    /** @type {Promise<any> | undefined} */
    let connected;
    const dial = async () => {
      const { peerIdFromPrivateKey } = await load("@libp2p/peer-id");
      const name = peerIdFromPrivateKey(await keyOf(pair)).toString();
      return node.dial(multiaddr(`${relay}/p2p-circuit/p2p/${name}`));
    };
    return {
      async open() {
        const connection = await (connected ??= dial());
        const stream = await connection.newStream(PROTOCOL, { runOnLimitedConnection: true });
        return new StreamLink(stream, bulk, options.batched);
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** A Link. */
class StreamLink {
  #stream;
  #bulk;
  #batched;

  /**
   * @param {any} stream
   * @param {boolean} bulk
   * @param {boolean} [batched]
   */
  constructor(stream, bulk, batched = false) {
    this.#stream = stream;
    this.#bulk = bulk;
    this.#batched = batched && !bulk;
    stream.maxReadBufferLength = BUFFER_BYTES;
  }

  /** @param {Uint8Array} message */
  send(message) {
    this.#stream.send(this.#framed(message));
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    const take = this.#batched ? inBatches(next) : () => this.#framed(next());
    for (let bytes = take(); bytes !== undefined; bytes = take()) {
      if (!this.#stream.send(bytes)) await this.#stream.onDrain();
    }
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    const take = this.#bulk ? listener : deframer(listener);
    this.#stream.addEventListener("message", (/** @type {any} */ { data }) => {
      // A piece is one Uint8Array or a list of them.
      if (data instanceof Uint8Array) take(Buffer.from(data.buffer, data.byteOffset, data.length));
      else for (const part of data) take(Buffer.from(part.buffer, part.byteOffset, part.length));
    });
  }

  close() {
    void this.#stream.close();
  }

  /** @param {Uint8Array | undefined} message */
  #framed(message) {
    return this.#bulk || message === undefined ? message : frame(message);
  }

  pause() {
    this.#stream.pause();
  }

  resume() {
    this.#stream.resume();
  }
}

/** @param {Record<string, any>} options */
async function makeNode({ transports = [], ...options }) {
  addWithResolvers();
  const { createLibp2p } = await load("libp2p");
  const { tcp } = await load("@libp2p/tcp");
  const { noise } = await load("@libp2p/noise");
  const { yamux } = await load("@libp2p/yamux");
  return createLibp2p({
    transports: [tcp(), ...transports],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 10_000, maxOutboundStreams: 10_000 })],
    connectionManager: {
      maxConnections: 10_000,
      inboundConnectionThreshold: 10_000,
      maxIncomingPendingConnections: 1000,
    },
    ...options,
  });
}

/** @param {() => boolean} condition */
async function until(condition) {
  const endMs = performance.now() + DIAL_PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("The relay gave no reservation");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The only thing that these packages miss on Node 20, which they are not made for any more. */
function addWithResolvers() {
  const promise = /** @type {any} */ (Promise);
  promise.withResolvers ??= () => {
    /** @type {Record<string, unknown>} */
    const parts = {};
    parts["promise"] = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  };
}
