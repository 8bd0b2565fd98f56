/**
 * @currentspace/http3: quiche in Rust, with worker threads of its own. A link is a raw bidirectional QUIC stream, a Node
 * duplex; the relay pipes. Each connection's first stream says the pair.
 *
 * It has no backpressure from the reader: a duplex that is paused goes on taking in.
 */

import { byteLink } from "./byte-link.js";
import { load } from "./packages/load.js";

const HELLO_BYTES = 8;
/** io_uring is often not allowed; `auto` would fall back to this too. */
const runtime = { runtimeMode: "portable" };
const alpn = ["bench"];
const options = { ...runtime, alpn, maxIdleTimeoutMs: 60_000, initialMaxStreamDataBidiLocal: 4 << 20 };

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host }) {
    const { createQuicServer } = await load("@currentspace/http3");
    const server = createQuicServer({ ...options, key: certificate.key, cert: certificate.cert });
    /** By role and pair. @type {Map<string, any>} */
    const sessions = new Map();
    server.on("session", (/** @type {any} */ session) => {
      /** @type {Buffer | undefined} */
      let hello;
      session.on("error", () => {});
      session.on("stream", (/** @type {any} */ stream) => {
        stream.on("error", () => {});
        if (hello === undefined) {
          hello = Buffer.alloc(0);
          stream.on("data", (/** @type {Buffer} */ data) => {
            hello = Buffer.concat([hello ?? Buffer.alloc(0), data]);
            if (hello.length < HELLO_BYTES) return;
            sessions.set(`${hello[0]}/${hello.readUInt32LE(4)}`, session);
            stream.write(hello);
          });
          return;
        }
        const other = sessions.get(`${1 - (hello[0] ?? 0)}/${hello.readUInt32LE(4)}`).openStream();
        other.on("error", () => {});
        stream.pipe(other).pipe(stream);
      });
    });
    const { port } = await server.listen(0, host);
    return { port };
  },

  async connect({ role, pair, host, port, certificate, bulk }) {
    const { connectQuicAsync } = await load("@currentspace/http3");
    const session = await connectQuicAsync(
      { address: host, port, servername: "localhost" },
      { ...options, ca: certificate.cert },
    );
    session.on("error", () => {});
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    session.on("stream", (/** @type {any} */ stream) => {
      stream.on("error", () => {});
      onLink(byteLink(stream, bulk));
    });
    const hello = Buffer.alloc(HELLO_BYTES);
    hello[0] = role === "a" ? 0 : 1;
    hello.writeUInt32LE(pair, 4);
    const control = session.openStream();
    control.on("error", () => {});
    control.write(hello);
    await new Promise((resolve) => control.once("data", resolve));
    return {
      async open() {
        const stream = session.openStream();
        stream.on("error", () => {});
        return byteLink(stream, bulk);
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};
