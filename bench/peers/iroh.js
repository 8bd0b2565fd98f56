/**
 * iroh 0.35 (native, Rust). Its ends find each other directly or by its makers' relays; here, as in the other rows, a
 * third process stands between: it takes connections of A and B and forwards from stream to stream. A link is a
 * bidirectional stream. Its first bytes say the pair. Flow control is QUIC's.
 *
 * Later versions (1.x) are slower here by far, so this one is used.
 */

import dgram from "node:dgram";
import { deframer, frame, inBatches } from "../framing.js";
import { load } from "./packages/load.js";

const PROTOCOL = "bench/1";
const BUFFER_BYTES = 1 << 18;
const HELLO_BYTES = 8;
const MOST_STREAMS = 10_000n;
const A = 0;
const B = 1;

/** Held, so that none is collected as garbage while its connections are in use. @type {any[]} */
const nodes = [];

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ host }) {
    /** By pair, the connections of A's end that wait for B's and the other way round. @type {Map<string, Promise<any>>} */
    const ends = new Map();
    /** @type {Map<string, (connection: any) => void>} */
    const arrived = new Map();
    const endOf = (/** @type {string} */ name) => {
      if (!ends.has(name)) ends.set(name, new Promise((resolve) => arrived.set(name, resolve)));
      return /** @type {Promise<any>} */ (ends.get(name));
    };
    const port = await freePort(host);
    const node = await makeNode(`${host}:${port}`, async (connection) => {
      connection.setMaxConcurrentBiiStream(MOST_STREAMS);
      const control = await connection.acceptBi();
      const hello = await readHello(control.recv);
      const pair = hello.readUInt32LE(4);
      void endOf(`${hello[0]}${pair}`);
      arrived.get(`${hello[0]}${pair}`)?.(connection);
      await control.send.writeAll(hello);
      // B opens none.
      while (hello[0] === A) {
        const one = await connection.acceptBi();
        const other = await (await endOf(`${B}${pair}`)).openBi();
        forward(one.recv, other.send).catch(() => {});
        forward(other.recv, one.send).catch(() => {});
      }
    });
    return { port, id: await node.net.nodeId() };
  },

  async connect({ role, pair, host, port, id, bulk }) {
    const node = await makeNode(`${host === "127.0.0.1" ? host : "0.0.0.0"}:0`);
    const connection = await node.node
      .endpoint()
      .connect({ nodeId: id, addresses: [`${host}:${port}`] }, Buffer.from(PROTOCOL));
    connection.setMaxConcurrentBiiStream(MOST_STREAMS);
    const hello = Buffer.alloc(HELLO_BYTES);
    hello[0] = role === "a" ? A : B;
    hello.writeUInt32LE(pair, 4);
    const control = await connection.openBi();
    await control.send.writeAll(hello);
    await readHello(control.recv);

    /** @type {(link: StreamLink) => void} */
    let onLink = () => {};
    const takeStreams = async () => {
      for (;;) {
        const stream = await connection.acceptBi();
        onLink(new StreamLink(stream, bulk));
      }
    };
    if (role === "b") takeStreams().catch(() => {});
    return {
      open: async () => new StreamLink(await connection.openBi(), bulk),
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** A Link. */
class StreamLink {
  #send;
  #receive;
  #bulk;
  /** @type {Promise<void> | undefined} */
  #resumed;
  #resume = () => {};
  /** Writes are one after the other. @type {Promise<unknown>} */
  #written = Promise.resolve();

  /**
   * @param {any} stream
   * @param {boolean} bulk
   */
  constructor(stream, bulk) {
    this.#send = stream.send;
    this.#receive = stream.recv;
    this.#bulk = bulk;
  }

  /** @param {Uint8Array} message */
  send(message) {
    const bytes = this.#bulk ? message : frame(message);
    this.#written = this.#written.then(() => this.#send.writeAll(bytes));
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    const take = this.#bulk ? next : inBatches(next);
    for (let bytes = take(); bytes !== undefined; bytes = take()) await this.#send.writeAll(bytes);
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    const take = this.#bulk ? listener : deframer(listener);
    const read = async () => {
      const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
      for (;;) {
        const size = await this.#receive.read(buffer);
        if (size === null) return this.#send.finish();
        take(buffer.subarray(0, Number(size)));
        if (this.#resumed !== undefined) await this.#resumed;
      }
    };
    read().catch(() => {});
  }

  close() {
    const finish = async () => {
      await this.#written;
      await this.#send.finish();
      await this.#receive.stop(0n);
    };
    finish().catch(() => {});
  }

  pause() {
    this.#resumed = new Promise((resolve) => (this.#resume = resolve));
  }

  resume() {
    this.#resumed = undefined;
    this.#resume();
  }
}

/**
 * @param {any} from
 * @param {any} to
 */
async function forward(from, to) {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
    await to.writeAll(buffer.subarray(0, Number(size)));
  }
  await to.finish();
}

/** @param {any} receive */
async function readHello(receive) {
  const hello = Buffer.alloc(HELLO_BYTES);
  await receive.readExact(hello);
  return hello;
}

/**
 * @param {string} address
 * @param {(connection: any) => Promise<void>} [accept]
 */
async function makeNode(address, accept) {
  const { Iroh } = await load("@number0/iroh");
  const node = await Iroh.memory({
    ipv4Addr: address,
    ipv6Addr: "[::1]:0",
    nodeDiscovery: "None",
    ...(accept && {
      protocols: {
        [/** @type {any} */ (Buffer.from(PROTOCOL))]: () => ({
          accept: (/** @type {unknown} */ _error, /** @type {any} */ connection) => accept(connection).catch(() => {}),
        }),
      },
    }),
  });
  nodes.push(node);
  return node;
}

/** @param {string} host */
async function freePort(host) {
  const socket = dgram.createSocket("udp4");
  await new Promise((resolve) => socket.bind(0, host, () => resolve(undefined)));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(() => resolve(undefined)));
  return port;
}
