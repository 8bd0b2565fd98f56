import { createSocket } from "node:dgram";
import { DeliveryQueue } from "./delivery-queue.js";
import { PathModel } from "./path-model.js";

/** @import { Socket } from "node:dgram" */
/** @import { Conditions, Delivery, PathCounts } from "./path-model.js" */

/** @typedef {"to-server" | "to-client"} Direction */

/** Where somebody is. @typedef {{ host: string, port: number }} Address */

/**
 * @typedef {object} UdpPathOptions
 * @property {number} serverPort
 * @property {string} [host] Where the server is, and where clients dial: an IPv4 address of this machine. Default 127.0.0.1.
 * @property {number} [seed] Default 0.
 * @property {Conditions} [toServer] Default: nothing happens to datagrams.
 * @property {Conditions} [toClient]
 * @property {number} [mostClients] How many are remembered; then the one that came first is forgotten. Default: all.
 */

/**
 * A UDP path between any number of clients and a server, over which the test rules. For the server each client is at another
 * port of this machine. Without conditions a datagram goes on in the turn in which it came.
 */
export class UdpPath {
  /**
   * Sees each datagram when it comes to the path, before the conditions; false swallows it. Not to be kept without a copy.
   *
   * @type {(datagram: Buffer, direction: Direction) => boolean}
   */
  pass = () => true;
  /** @type {Record<Direction, PathModel>} */
  #models;
  #server;
  #front;
  /** By the client's own address. @type {Map<string, Client>} */
  #clients = new Map();
  /** @type {DeliveryQueue<() => void>} */
  #queue = new DeliveryQueue((deliver) => deliver());
  #closed = false;
  #mostClients;

  /** @param {UdpPathOptions} options */
  static async open(options) {
    const front = await bound(options.host);
    return new UdpPath(front, options);
  }

  /**
   * @private
   * @param {Socket} front
   * @param {UdpPathOptions} options
   */
  constructor(front, { serverPort, host = "127.0.0.1", seed = 0, toServer, toClient, mostClients = Infinity }) {
    this.#front = front;
    this.#mostClients = mostClients;
    this.#server = { host, port: serverPort };
    this.#models = {
      "to-server": new PathModel(toServer, 2 * seed),
      "to-client": new PathModel(toClient, 2 * seed + 1),
    };
    front.on("message", (datagram, from) =>
      this.#offer(datagram, "to-server", this.#clientAt(from.address, from.port)),
    );
  }

  /** Where clients send to. */
  get port() {
    return this.#front.address().port;
  }

  /** Where the server sees the client that came last. */
  get outside() {
    const { address, port } = this.#latest().outside.address();
    return { host: address, port };
  }

  /** @returns {Record<Direction, PathCounts>} */
  get counts() {
    return { "to-server": this.#models["to-server"].counts, "to-client": this.#models["to-client"].counts };
  }

  /**
   * Changes conditions from now on; what is under way arrives as it would have.
   *
   * @param {Parameters<PathModel["set"]>[0]} changes
   * @param {Direction} [direction] Default: both.
   */
  set(changes, direction) {
    if (direction !== "to-client") this.#models["to-server"].set(changes);
    if (direction !== "to-server") this.#models["to-client"].set(changes);
  }

  /**
   * Puts a datagram of one's own at the end of the path of the client that came last; conditions do not apply.
   *
   * @param {Uint8Array} datagram
   * @param {Direction} direction
   */
  inject(datagram, direction) {
    this.#send(datagram, direction, this.#latest());
  }

  /**
   * Does what a NAT does that has forgotten about its clients: from now on the server sees each at another port, or at another
   * address of this machine, and what is sent to the old ones is lost.
   *
   * @param {string} [host]
   */
  async rebind(host) {
    await Promise.all(
      [...this.#clients.values()].map(async (client) => {
        const old = client.outside;
        client.outside = await bound(host);
        this.#listen(client);
        await closing(old);
      }),
    );
  }

  async close() {
    this.#closed = true;
    this.#queue.clear();
    const outside = [...this.#clients.values()].map((client) => client.outside);
    await Promise.all([this.#front, ...outside].map(closing));
  }

  /**
   * @param {string} host
   * @param {number} port
   */
  #clientAt(host, port) {
    const key = `${host} ${port}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = { host, port, outside: openSocket(), isForgotten: false };
      client.outside.bind(0, "127.0.0.1");
      this.#listen(client);
      this.#clients.set(key, client);
      if (this.#clients.size > this.#mostClients) this.#forgetFirst();
    }
    return client;
  }

  #forgetFirst() {
    for (const [key, client] of this.#clients) {
      this.#clients.delete(key);
      client.isForgotten = true;
      return void closing(client.outside);
    }
  }

  #latest() {
    const client = [...this.#clients.values()].at(-1);
    if (client === undefined) throw new Error("No client has come to this path yet");
    return client;
  }

  /** @param {Client} client */
  #listen(client) {
    client.outside.on("message", (datagram) => this.#offer(datagram, "to-client", client));
  }

  /**
   * @param {Buffer} datagram
   * @param {Direction} direction
   * @param {Client} client
   */
  #offer(datagram, direction, client) {
    if (!this.pass(datagram, direction)) return;
    for (const delivery of this.#models[direction].decide(performance.now(), datagram.length)) {
      this.#queue.push(delivery.atMs, () => this.#send(asDelivered(datagram, delivery), direction, client));
    }
  }

  /**
   * @param {Uint8Array} datagram
   * @param {Direction} direction
   * @param {Client} client
   */
  #send(datagram, direction, client) {
    if (this.#closed || client.isForgotten) return;
    if (direction === "to-server") client.outside.send(datagram, this.#server.port, this.#server.host);
    else this.#front.send(datagram, client.port, client.host);
  }
}

/**
 * @typedef {object} Client
 * @property {string} host Where it is.
 * @property {number} port
 * @property {Socket} outside Through which it is seen by the server.
 * @property {boolean} isForgotten
 */

/**
 * A datagram as it arrives.
 *
 * @param {Buffer} datagram
 * @param {Delivery} delivery
 */
export function asDelivered(datagram, { flippedBit }) {
  if (flippedBit === undefined) return datagram;
  const changed = Buffer.from(datagram);
  const place = flippedBit >> 3;
  changed[place] = /** @type {number} */ (changed[place]) ^ (1 << (flippedBit & 7));
  return changed;
}

/** @returns {Socket} One that hears of no errors: what cannot be sent is lost. */
export function openSocket() {
  const socket = createSocket({ type: "udp4", recvBufferSize: socketBufferBytes, sendBufferSize: socketBufferBytes });
  socket.on("error", () => {});
  return socket;
}

const socketBufferBytes = 4 * 1024 * 1024;

/** @returns {Promise<Socket>} */
function bound(host = "127.0.0.1") {
  const socket = openSocket();
  return new Promise((resolve) => {
    socket.bind(0, host, () => resolve(socket));
  });
}

/**
 * @param {Socket} socket
 * @returns {Promise<void>}
 */
function closing(socket) {
  return new Promise((resolve) => {
    socket.removeAllListeners("message");
    socket.close(() => resolve());
  });
}
