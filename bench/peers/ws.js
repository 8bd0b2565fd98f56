/**
 * The npm package `ws` over TLS, without compression. A link is a pair of connections, A–R and R–B; for each one
 * that A opens, the relay asks B over its first connection to dial one too.
 *
 * Flow control by hand, as the package leaves it to its users: a sender waits while `bufferedAmount` is high, and
 * the relay pauses the connection that it reads from.
 */

import https from "node:https";
import WebSocket, { WebSocketServer } from "ws";

/** Bytes waiting in a connection above which its writer waits. */
const HIGH_WATER_BYTES = 1 << 20;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate }) {
    const https_ = https.createServer({ cert: certificate.cert, key: certificate.key });
    const server = new WebSocketServer({ server: https_, perMessageDeflate: false });
    /** @type {Map<string, WebSocket>} Links of A for which B has not dialled yet. */
    const waiting = new Map();
    /** @type {WebSocket | undefined} */
    let control;

    server.on("connection", (socket, request) => {
      const [, role, id = ""] = (request.url ?? "").split("/");
      if (role === "control") {
        control = socket;
      } else if (role === "a") {
        socket.pause();
        waiting.set(id, socket);
        control?.send(id);
      } else {
        const other = /** @type {WebSocket} */ (waiting.get(id));
        waiting.delete(id);
        forward(other, socket);
        forward(socket, other);
        other.resume();
      }
    });
    await new Promise((resolve) => https_.listen(0, "127.0.0.1", () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (https_.address()).port };
  },

  async connect({ role, port, certificate }) {
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    /** @param {string} path */
    const dial = (path) =>
      new WebSocket(`wss://127.0.0.1:${port}/${path}`, { ca: certificate.cert, perMessageDeflate: false });

    if (role === "b") {
      const control = dial("control");
      control.on("message", (/** @type {Buffer} */ id) => onLink(link(dial(`b/${id.toString()}`))));
      await opened(control);
    }
    let links = 0;
    return {
      async open() {
        const socket = dial(`a/${links++}`);
        await opened(socket);
        return link(socket);
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/**
 * @param {WebSocket} from
 * @param {WebSocket} to
 */
function forward(from, to) {
  from.on("message", (/** @type {Buffer} */ message) => {
    if (to.bufferedAmount < HIGH_WATER_BYTES) {
      to.send(message);
    } else {
      from.pause();
      to.send(message, () => from.resume());
    }
  });
  from.on("close", () => to.close());
}

/**
 * @param {WebSocket} socket
 * @returns {import("../peers.js").Link}
 */
function link(socket) {
  return {
    send: (message) => socket.send(message),
    async sendAll(next) {
      for (let message = next(); message !== undefined; message = next()) {
        if (socket.bufferedAmount < HIGH_WATER_BYTES) {
          socket.send(message);
        } else {
          const last = message;
          await new Promise((resolve) => socket.send(last, resolve));
        }
      }
    },
    onMessage: (listener) => void socket.on("message", listener),
    close: () => socket.close(),
  };
}

/** @param {WebSocket} socket */
function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(undefined));
    socket.once("error", reject);
  });
}
