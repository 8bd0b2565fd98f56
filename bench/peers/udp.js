/**
 * node:dgram and nothing else: no encryption, no repair, no congestion control. What a relay of datagrams costs at the
 * least. Datagrams go out one a system call. Where much is sent, B acknowledges by count and A keeps a window that the
 * sockets' buffers hold; a lost datagram fails the run.
 */

import dgram from "node:dgram";
import { LENGTH_BYTES, deframer, frame } from "../framing.js";

const DATA = 0;
const ACKNOWLEDGE = 1;
const HELLO = 2;
/** With the kernel's usual limit on buffers, twice as much would be lost now and then. */
const WINDOW_BYTES = 128 << 10;
const SOCKET_BUFFER_BYTES = 8 << 20;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ host }) {
    const socket = await bind(host);
    /** The port of the other one, by role: A is 0. @type {number[]} */
    const ports = [];
    socket.on("message", (datagram, { port }) => {
      if (datagram[0] === HELLO) {
        ports[datagram[1] ?? 0] = port;
        socket.send(datagram, port, host);
      } else {
        const to = ports[port === ports[0] ? 1 : 0];
        if (to !== undefined) socket.send(datagram, to, host);
      }
    });
    return { port: socket.address().port };
  },

  async connect({ role, host, port, bulk, options: { maxDatagramBytes = 1350 } }) {
    const socket = await bind(host);
    await new Promise((resolve) => socket.connect(port, host, () => resolve(undefined)));
    socket.send(Buffer.from([HELLO, role === "a" ? 0 : 1]));
    await new Promise((resolve) => socket.once("message", resolve));
    const link = new DatagramLink(socket, bulk, maxDatagramBytes);
    /** @type {(link: DatagramLink) => void} */
    let onLink = () => {};
    let known = role === "a";
    socket.on("message", (datagram) => {
      if (!known) onLink(link);
      known = true;
      link.receive(datagram);
    });
    return { open: async () => link, onLink: (listener) => void (onLink = listener) };
  },
};

/** The only link of an end. */
class DatagramLink {
  #socket;
  #bulk;
  #payloadBytes;
  #acknowledgeEvery;
  #window;
  #sent = 0;
  #acknowledged = 0;
  #received = 0;
  #onAcknowledged = () => {};
  /** @type {(piece: Buffer) => void} */
  #listener = () => {};

  /**
   * @param {dgram.Socket} socket
   * @param {boolean} bulk
   * @param {number} maxDatagramBytes
   */
  constructor(socket, bulk, maxDatagramBytes) {
    this.#socket = socket;
    this.#bulk = bulk;
    this.#payloadBytes = maxDatagramBytes - 1;
    this.#window = Math.floor(WINDOW_BYTES / maxDatagramBytes);
    this.#acknowledgeEvery = Math.ceil(this.#window / 8);
  }

  /** @param {Uint8Array} message */
  send(message) {
    this.#sendDatagram(frame(message));
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    const fill = this.#bulk ? this.#pieces(next) : this.#packed(next);
    for (const payload of fill) {
      while (this.#sent - this.#acknowledged >= this.#window) {
        await new Promise((resolve) => (this.#onAcknowledged = () => resolve(undefined)));
      }
      this.#sent++;
      this.#sendDatagram(payload);
    }
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    this.#listener = this.#bulk ? listener : deframer(listener);
  }

  close() {}

  /** @param {Buffer} datagram */
  receive(datagram) {
    if (datagram[0] === ACKNOWLEDGE) {
      this.#acknowledged = datagram.readUInt32LE(1);
      this.#onAcknowledged();
      return;
    }
    this.#received++;
    this.#listener(datagram.subarray(1));
    if (this.#received % this.#acknowledgeEvery !== 0) return;
    const answer = Buffer.alloc(5);
    answer[0] = ACKNOWLEDGE;
    answer.writeUInt32LE(this.#received, 1);
    this.#socket.send(answer);
  }

  /** @param {Uint8Array} payload */
  #sendDatagram(payload) {
    const datagram = Buffer.allocUnsafe(1 + payload.length);
    datagram[0] = DATA;
    datagram.set(payload, 1);
    this.#socket.send(datagram);
  }

  /** @param {() => Uint8Array | undefined} next */
  *#pieces(next) {
    for (let message = next(); message !== undefined; message = next()) {
      for (let at = 0; at < message.length; at += this.#payloadBytes)
        yield message.subarray(at, at + this.#payloadBytes);
    }
  }

  /** @param {() => Uint8Array | undefined} next */
  *#packed(next) {
    const payload = Buffer.allocUnsafe(this.#payloadBytes);
    let size = 0;
    for (let message = next(); message !== undefined; message = next()) {
      if (size + LENGTH_BYTES + message.length > payload.length) {
        yield payload.subarray(0, size);
        size = 0;
      }
      payload.writeUInt32LE(message.length, size);
      payload.set(message, size + LENGTH_BYTES);
      size += LENGTH_BYTES + message.length;
    }
    if (size > 0) yield payload.subarray(0, size);
  }
}

/** @param {string} host */
async function bind(host) {
  const lookup = (/** @type {string} */ name, /** @type {unknown} */ _options, /** @type {any} */ callback) =>
    callback(null, name, 4);
  const socket = dgram.createSocket({ type: "udp4", lookup: /** @type {any} */ (lookup) });
  await new Promise((resolve) => socket.bind(0, host, () => resolve(undefined)));
  socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
  socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  return socket;
}
