/**
 * Plain TLS through a relay that pipes. A link is a pair of connections, A–R and R–B; for each one that A opens, the
 * relay asks B over its first connection to dial one too. A has a first connection as well. Every connection starts with a hello: kind, pair and link.
 * Flow control is the sockets' own.
 */

import tls from "node:tls";
import { byteLink } from "./byte-link.js";

const HELLO_BYTES = 9;
const CONTROL = 0;
const LINK_A = 1;
const LINK_B = 2;
const IDLE = 3;

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host }) {
    /** Links of A for which B has not dialled yet, by what their hello says behind the kind. @type {Map<string, tls.TLSSocket>} */
    const waiting = new Map();
    /** By pair. @type {Map<number, tls.TLSSocket>} */
    const controls = new Map();

    const server = tls.createServer({ cert: certificate.cert, key: certificate.key, noDelay: true }, async (socket) => {
      socket.on("error", () => socket.destroy());
      const hello = await readHello(socket);
      const kind = hello[0];
      const pair = hello.readUInt32LE(1);
      const name = hello.toString("hex", 1);
      if (kind === CONTROL) {
        controls.set(pair, socket);
      } else if (kind === LINK_A) {
        waiting.set(name, socket);
        controls.get(pair)?.write(makeHello(LINK_B, pair, hello.readUInt32LE(5)));
      } else if (kind === LINK_B) {
        const other = /** @type {tls.TLSSocket} */ (waiting.get(name));
        waiting.delete(name);
        other.pipe(socket).pipe(other);
      }
    });
    await new Promise((resolve) => server.listen(0, host, () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
  },

  async connect({ role, pair, host, port, certificate, bulk }) {
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    /** @param {Buffer} hello */
    const dial = (hello) => {
      const socket = tls.connect({ host, port, ca: certificate.cert });
      socket.setNoDelay(true);
      socket.write(hello);
      return socket;
    };

    const control = dial(makeHello(role === "b" ? CONTROL : IDLE, pair, 0));
    if (role === "b") {
      control.on("readable", () => {
        for (let hello = control.read(HELLO_BYTES); hello !== null; hello = control.read(HELLO_BYTES)) {
          onLink(byteLink(dial(hello), bulk));
        }
      });
    }
    await secured(control);
    let links = 0;
    return {
      async open() {
        const socket = dial(makeHello(LINK_A, pair, links++));
        await secured(socket);
        return byteLink(socket, bulk);
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/**
 * @param {number} kind
 * @param {number} pair
 * @param {number} link
 */
function makeHello(kind, pair, link) {
  const hello = Buffer.alloc(HELLO_BYTES);
  hello.writeUInt8(kind, 0);
  hello.writeUInt32LE(pair, 1);
  hello.writeUInt32LE(link, 5);
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
