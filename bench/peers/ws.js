/**
 * The npm package `ws` over TLS, without compression. A link is a pair of connections, A–R and R–B; for each one
 * that A opens, the relay asks B over its first connection to dial one too. A has a first connection as well.
 *
 * Flow control by hand, as the package leaves it to its users: a sender waits while `bufferedAmount` is high, and
 * the relay pauses the connection that it reads from.
 */

import https from "node:https";
import { deframer, inBatches } from "../framing.js";
import { load } from "./packages/load.js";
import { sharedLinks } from "./shared-links.js";

/** @typedef {import("ws").WebSocket} WebSocket */

/** Bytes waiting in a connection above which its writer waits. */
const HIGH_WATER_BYTES = 1 << 20;
/** The same where small messages wait behind large ones. */
const SHARED_HIGH_WATER_BYTES = 1 << 16;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host, fanOut, options }) {
    const { WebSocketServer } = await loadWs(options);
    const https_ = https.createServer({ cert: certificate.cert, key: certificate.key });
    const server = new WebSocketServer({ server: https_, perMessageDeflate: false, maxPayload: 1 << 20 });
    /** Links of A for which B has not dialled yet, by the name of the link. @type {Map<string, WebSocket>} */
    const waiting = new Map();
    /** By pair. @type {Map<string, WebSocket>} */
    const controls = new Map();
    /** The receivers of a link, where it has many. @type {Map<string, WebSocket[]>} */
    const receivers = new Map();

    server.on("connection", (socket, request) => {
      const [, role, pair = "", index = ""] = (request.url ?? "").split("/");
      const name = `${pair}/${index}`;
      if (role === "control") {
        if (pair === "b") controls.set(index, socket);
      } else if (role === "a") {
        socket.pause();
        waiting.set(name, socket);
        if (fanOut) for (const control of controls.values()) control.send(name);
        else controls.get(pair)?.send(name);
      } else {
        const other = /** @type {WebSocket} */ (waiting.get(name));
        if (fanOut) {
          const all = receivers.get(name) ?? [];
          all.push(socket);
          receivers.set(name, all);
          if (all.length < controls.size) return;
          forwardToAll(other, all);
        } else {
          forward(other, socket, highWater(options));
          forward(socket, other, highWater(options));
        }
        waiting.delete(name);
        other.resume();
      }
    });
    await new Promise((resolve) => https_.listen(0, host, () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (https_.address()).port };
  },

  async connect({ role, pair, host, port, certificate, options }) {
    const { WebSocket } = await loadWs(options);
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    /** @param {string} path */
    const dial = (path) =>
      new WebSocket(`wss://${host}:${port}/${path}`, { ca: certificate.cert, perMessageDeflate: false });

    const control = dial(`control/${role}/${pair}`);
    if (role === "b") {
      control.on("message", (/** @type {Buffer} */ name) => onLink(link(dial(`b/${name.toString()}`), options)));
    }
    await opened(control);
    let links = 0;
    /** @type {import("../peers.js").End} */
    const end = {
      async open() {
        const socket = dial(`a/${pair}/${links++}`);
        await opened(socket);
        return link(socket, options);
      },
      onLink: (listener) => void (onLink = listener),
    };
    return options.oneConnection === true ? sharedLinks(end) : end;
  },
};

/**
 * @param {WebSocket} from
 * @param {WebSocket} to
 * @param {number} highWaterBytes
 */
function forward(from, to, highWaterBytes) {
  from.on("message", (/** @type {Buffer} */ message) => {
    if (to.bufferedAmount < highWaterBytes) {
      to.send(message);
    } else {
      from.pause();
      to.send(message, () => from.resume());
    }
  });
  from.on("close", () => to.close());
}

/**
 * The slowest decides.
 * @param {WebSocket} from
 * @param {WebSocket[]} all
 */
function forwardToAll(from, all) {
  let full = 0;
  from.on("message", (/** @type {Buffer} */ message) => {
    for (const to of all) {
      if (to.bufferedAmount < HIGH_WATER_BYTES) {
        to.send(message);
      } else {
        if (full++ === 0) from.pause();
        to.send(message, () => {
          if (--full === 0) from.resume();
        });
      }
    }
  });
}

/**
 * @param {WebSocket} socket
 * @param {import("../peers.js").RowOptions} options
 * @returns {import("../peers.js").Link}
 */
function link(socket, options) {
  const highWaterBytes = highWater(options);
  /** @param {Uint8Array} message */
  const sendInTurn = (message) => {
    if (socket.bufferedAmount < highWaterBytes) {
      socket.send(message);
      return undefined;
    }
    return new Promise((resolve) => socket.send(message, resolve));
  };
  return {
    send: (message) => socket.send(message),
    async sendAll(next) {
      const take = options.batched === true ? inBatches(next) : next;
      for (let message = take(); message !== undefined; message = take()) {
        const turn = sendInTurn(message);
        if (turn !== undefined) await turn;
      }
    },
    onMessage: (listener) => void socket.on("message", options.batched === true ? deframer(listener) : listener),
    close: () => socket.close(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}

/** @param {import("../peers.js").RowOptions} options */
function highWater({ oneConnection = false }) {
  return oneConnection ? SHARED_HIGH_WATER_BYTES : HIGH_WATER_BYTES;
}

/** @param {WebSocket} socket */
function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(undefined));
    socket.once("error", reject);
  });
}

/**
 * conec's own dependency has no native addon beside it; the one among the peers' packages has.
 * @param {import("../peers.js").RowOptions} options
 * @returns {Promise<typeof import("ws")>}
 */
function loadWs({ bufferutil = false }) {
  return bufferutil ? load("ws") : import("ws");
}
