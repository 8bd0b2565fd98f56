/**
 * Plain TLS through a relay that pipes. A link is a pair of connections, A–R and R–B; for each one that A opens, the
 * relay asks B over its first connection to dial one too. Every connection starts with a hello: kind and link id.
 * Flow control is the sockets' own.
 */

import tls from "node:tls";
import { deframer, frame } from "../framing.js";

const HELLO_BYTES = 5;
const CONTROL = 0;
const LINK_A = 1;
const LINK_B = 2;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate }) {
    /** @type {Map<number, tls.TLSSocket>} Links of A for which B has not dialled yet. */
    const waiting = new Map();
    /** @type {tls.TLSSocket | undefined} */
    let control;

    const server = tls.createServer({ cert: certificate.cert, key: certificate.key, noDelay: true }, async (socket) => {
      socket.on("error", () => socket.destroy());
      const hello = await readHello(socket);
      const kind = hello[0];
      const id = hello.readUInt32LE(1);
      if (kind === CONTROL) {
        control = socket;
      } else if (kind === LINK_A) {
        waiting.set(id, socket);
        control?.write(makeHello(LINK_B, id));
      } else {
        const other = /** @type {tls.TLSSocket} */ (waiting.get(id));
        waiting.delete(id);
        other.pipe(socket).pipe(other);
      }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
  },

  async connect({ role, port, certificate, bulk }) {
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    /** @param {Buffer} hello */
    const dial = (hello) => {
      const socket = tls.connect({ host: "127.0.0.1", port, ca: certificate.cert });
      socket.setNoDelay(true);
      socket.write(hello);
      return socket;
    };

    if (role === "b") {
      const control = dial(makeHello(CONTROL, 0));
      control.on("readable", () => {
        for (let hello = control.read(HELLO_BYTES); hello !== null; hello = control.read(HELLO_BYTES)) {
          onLink(link(dial(hello), bulk));
        }
      });
      await secured(control);
    }
    let links = 0;
    return {
      async open() {
        const socket = dial(makeHello(LINK_A, links++));
        await secured(socket);
        return link(socket, bulk);
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/**
 * @param {tls.TLSSocket} socket
 * @param {boolean} bulk
 * @returns {import("../peers.js").Link}
 */
function link(socket, bulk) {
  return {
    send: (message) => void socket.write(frame(message)),
    async sendAll(next) {
      for (let message = next(); message !== undefined; message = next()) {
        if (!socket.write(bulk ? message : frame(message))) {
          await new Promise((resolve) => socket.once("drain", () => resolve(undefined)));
        }
      }
    },
    onMessage: (listener) => void socket.on("data", bulk ? listener : deframer(listener)),
    close: () => socket.end(),
  };
}

/**
 * @param {number} kind
 * @param {number} id
 */
function makeHello(kind, id) {
  const hello = Buffer.alloc(HELLO_BYTES);
  hello.writeUInt8(kind, 0);
  hello.writeUInt32LE(id, 1);
  return hello;
}

/**
 * @param {tls.TLSSocket} socket
 * @returns {Promise<Buffer>}
 */
function readHello(socket) {
  return new Promise((resolve) => {
    const take = () => {
      const hello = socket.read(HELLO_BYTES);
      if (hello === null) return;
      socket.off("readable", take);
      resolve(hello);
    };
    socket.on("readable", take);
  });
}

/** @param {tls.TLSSocket} socket */
function secured(socket) {
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(undefined));
    socket.once("error", reject);
  });
}
