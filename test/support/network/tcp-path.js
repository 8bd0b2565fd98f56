import { connect, createServer } from "node:net";
import { DeliveryQueue } from "./delivery-queue.js";

/** @import { AddressInfo, Server, Socket } from "node:net" */

/**
 * @typedef {object} TcpPathOptions
 * @property {number} serverPort
 * @property {string} [host] Where the server is, and where clients dial. Default 127.0.0.1.
 * @property {number} [delayMs] Each way. Default 0.
 * @property {number} [windowBytes] What may be under way in one direction of a connection; the sender waits beyond it, as it
 *   would for the window of TCP. Default 16 MiB.
 */

/**
 * A path for TCP connections that takes its time, in both directions and in order. It loses nothing: TCP would repeat it
 * before this shim could see. For loss and everything else that TCP feels, see `tunnel.js`.
 */
export class TcpPath {
  delayMs;
  #blackout = false;
  #server;
  #windowBytes;
  #listener;
  /** @type {Set<Leg>} */
  #legs = new Set();

  /** @param {TcpPathOptions} options */
  static async open(options) {
    const listener = createServer({ allowHalfOpen: true });
    await new Promise((resolve) => listener.listen(0, options.host ?? "127.0.0.1", () => resolve(undefined)));
    return new TcpPath(listener, options);
  }

  /**
   * @private
   * @param {Server} listener
   * @param {TcpPathOptions} options
   */
  constructor(listener, { serverPort, host = "127.0.0.1", delayMs = 0, windowBytes = 16 * 1024 * 1024 }) {
    this.#listener = listener;
    this.#server = { host, port: serverPort };
    this.delayMs = delayMs;
    this.#windowBytes = windowBytes;
    listener.on("connection", (client) => this.#carry(client));
  }

  /** Where clients dial. */
  get port() {
    return /** @type {AddressInfo} */ (this.#listener.address()).port;
  }

  get blackout() {
    return this.#blackout;
  }

  /** While it is true nothing arrives, as if every packet were lost and sent again later. */
  set blackout(blackout) {
    this.#blackout = blackout;
    if (!blackout) for (const leg of this.#legs) leg.release();
  }

  async close() {
    for (const leg of this.#legs) leg.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  /** @param {Socket} client */
  #carry(client) {
    client.setNoDelay(true);
    const server = connect({ ...this.#server, noDelay: true, allowHalfOpen: true });
    // The client has been answered at once, so the round trip of its handshake is added to what it sends first.
    const fromMs = performance.now() + 3 * this.delayMs;
    for (const leg of [
      new Leg(client, server, this, this.#windowBytes, fromMs),
      new Leg(server, client, this, this.#windowBytes, 0),
    ]) {
      this.#legs.add(leg);
      void leg.closed.then(() => this.#legs.delete(leg));
    }
  }
}

/** One direction of a connection. */
class Leg {
  /** Resolves when nothing more goes this way. @type {Promise<void>} */
  closed;
  #from;
  #to;
  #path;
  #windowBytes;
  #notBeforeMs;
  #underWay = 0;
  /** What a blackout keeps. Undefined is the end. @type {(Buffer | undefined)[]} */
  #held = [];
  /** @type {DeliveryQueue<Buffer | undefined>} */
  #queue = new DeliveryQueue((chunk) => this.#deliver(chunk));

  /**
   * @param {Socket} from
   * @param {Socket} to
   * @param {TcpPath} path
   * @param {number} windowBytes
   * @param {number} notBeforeMs
   */
  constructor(from, to, path, windowBytes, notBeforeMs) {
    this.#from = from;
    this.#to = to;
    this.#path = path;
    this.#windowBytes = windowBytes;
    this.#notBeforeMs = notBeforeMs;
    from.on("data", (chunk) => this.#take(chunk));
    from.on("end", () => this.#take(undefined));
    from.on("error", () => this.cut());
    this.closed = new Promise((resolve) => to.once("close", resolve));
  }

  /** The blackout is over. */
  release() {
    for (const chunk of this.#held.splice(0)) this.#deliver(chunk);
  }

  cut() {
    this.#queue.clear();
    this.#from.destroy();
    this.#to.destroy();
  }

  /** @param {Buffer | undefined} chunk */
  #take(chunk) {
    this.#underWay += chunk?.length ?? 0;
    if (this.#underWay > this.#windowBytes) this.#from.pause();
    this.#queue.push(Math.max(performance.now() + this.#path.delayMs, this.#notBeforeMs), chunk);
  }

  /** @param {Buffer | undefined} chunk */
  #deliver(chunk) {
    if (this.#path.blackout) {
      this.#held.push(chunk);
    } else if (chunk === undefined) {
      this.#to.end();
    } else {
      this.#to.write(chunk, () => {
        this.#underWay -= chunk.length;
        if (this.#underWay <= this.#windowBytes) this.#from.resume();
      });
    }
  }
}
