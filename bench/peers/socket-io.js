/**
 * socket.io over WebSocket and TLS. A link is the number in front of each message; the relay emits what it gets to the
 * other end of the pair (in W6 to a room).
 *
 * socket.io has no backpressure, and no way to stop reading. Where much is sent, A asks for an acknowledgement now and then
 * and waits while four are missing; the relay hands the acknowledgement through. What comes while a link
 * is paused waits here, unacknowledged: as much work as a program would have.
 */

import https from "node:https";
import { load } from "./packages/load.js";

/** Whichever comes first. */
const ACKNOWLEDGE = { messages: 256, bytes: 256 << 10 };
const MISSING_AT_MOST = 4;
const MAX_MESSAGE_BYTES = 1 << 20;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host, fanOut }) {
    const { Server } = await load("socket.io");
    const https_ = https.createServer({ cert: certificate.cert, key: certificate.key });
    const server = new Server(https_, { transports: ["websocket"], maxHttpBufferSize: MAX_MESSAGE_BYTES });
    /** By role and pair. @type {Map<string, any>} */
    const sockets = new Map();
    server.on("connection", (/** @type {any} */ socket) => {
      const { role, pair } = socket.handshake.query;
      sockets.set(`${role}${pair}`, socket);
      if (role === "b") socket.join("receivers");
      const other = `${role === "a" ? "b" : "a"}${pair}`;
      socket.on("m", (/** @type {number} */ link, /** @type {Buffer} */ message, /** @type {any} */ acknowledge) => {
        if (fanOut) {
          if (acknowledge === undefined) return server.to("receivers").emit("m", link, message);
          // Emitting to a room with a callback waits for all of it.
          server
            .to("receivers")
            .timeout(10_000)
            .emit("m", link, message, () => acknowledge());
        } else if (acknowledge === undefined) {
          sockets.get(other)?.emit("m", link, message);
        } else {
          sockets.get(other)?.emit("m", link, message, () => acknowledge());
        }
      });
    });
    await new Promise((resolve) => https_.listen(0, host, () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (https_.address()).port };
  },

  async connect({ role, pair, host, port, certificate }) {
    const { io } = await load("socket.io-client");
    const socket = io(`https://${host}:${port}`, {
      transports: ["websocket"],
      ca: certificate.cert,
      query: { role, pair },
      forceNew: true,
    });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
    /** @type {NumberedLink[]} */
    const links = [];
    /** @type {(link: NumberedLink) => void} */
    let onLink = () => {};
    socket.on("m", (/** @type {number} */ number, /** @type {Buffer} */ message, /** @type {any} */ acknowledge) => {
      let link = links[number];
      if (link === undefined) onLink((link = links[number] = new NumberedLink(socket, number)));
      link.receive(message, acknowledge);
    });
    return {
      async open() {
        const link = new NumberedLink(socket, links.length);
        links.push(link);
        return link;
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** A Link. */
class NumberedLink {
  #socket;
  #number;
  /** @type {(message: Uint8Array) => void} */
  #listener = () => {};
  #paused = false;
  /** @type {{ message: Buffer, acknowledge?: () => void }[]} */
  #unread = [];

  /**
   * @param {any} socket
   * @param {number} number
   */
  constructor(socket, number) {
    this.#socket = socket;
    this.#number = number;
  }

  /** @param {Uint8Array} message */
  send(message) {
    this.#socket.emit("m", this.#number, message);
  }

  /** @param {() => Uint8Array | undefined} next */
  async sendAll(next) {
    let unmarked = { messages: 0, bytes: 0 };
    let missing = 0;
    let onAcknowledged = () => {};
    for (let message = next(); message !== undefined; message = next()) {
      unmarked = { messages: unmarked.messages + 1, bytes: unmarked.bytes + message.length };
      if (unmarked.messages < ACKNOWLEDGE.messages && unmarked.bytes < ACKNOWLEDGE.bytes) {
        this.send(message);
        continue;
      }
      unmarked = { messages: 0, bytes: 0 };
      missing++;
      this.#socket.emit("m", this.#number, message, () => {
        missing--;
        onAcknowledged();
      });
      if (missing < MISSING_AT_MOST) continue;
      await new Promise((resolve) => (onAcknowledged = () => resolve(undefined)));
    }
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    this.#listener = listener;
  }

  close() {}

  pause() {
    this.#paused = true;
  }

  resume() {
    this.#paused = false;
    for (const { message, acknowledge } of this.#unread.splice(0)) this.receive(message, acknowledge);
  }

  /**
   * @param {Buffer} message
   * @param {() => void} [acknowledge]
   */
  receive(message, acknowledge) {
    if (this.#paused) return void this.#unread.push({ message, ...(acknowledge && { acknowledge }) });
    this.#listener(message);
    acknowledge?.();
  }
}
