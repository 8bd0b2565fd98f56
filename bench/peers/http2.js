/**
 * Node's own HTTP/2 over TLS. Each end is one session; a link is a request of A, and one of B that the relay asks for on
 * B's first stream. The relay pipes. Flow control is HTTP/2's, with windows as large as those of the QUIC peers.
 */

import http2 from "node:http2";
import { byteLink } from "./byte-link.js";

const STREAM_WINDOW_BYTES = 4 << 20;
const SESSION_WINDOW_BYTES = 16 << 20;
const settings = { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: 10_000 };

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host }) {
    const server = http2.createSecureServer({ cert: certificate.cert, key: certificate.key, settings });
    /** Links of A for which B has not asked yet. @type {Map<string, http2.ServerHttp2Stream>} */
    const waiting = new Map();
    /** By pair. @type {Map<string, http2.ServerHttp2Stream>} */
    const controls = new Map();
    server.on("session", (session) => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    server.on("stream", (stream, headers) => {
      const [, role, pair = "", index = ""] = String(headers[":path"]).split("/");
      const name = `${pair}/${index}`;
      stream.respond({ ":status": 200 });
      if (role === "control") {
        controls.set(pair, stream);
      } else if (role === "a") {
        waiting.set(name, stream);
        controls.get(pair)?.write(`${name};`);
      } else {
        const other = /** @type {http2.ServerHttp2Stream} */ (waiting.get(name));
        waiting.delete(name);
        other.pipe(stream).pipe(other);
      }
    });
    await new Promise((resolve) => server.listen(0, host, () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
  },

  async connect({ role, pair, host, port, certificate, bulk }) {
    /** @type {(link: import("../peers.js").Link) => void} */
    let onLink = () => {};
    const session = http2.connect(`https://${host}:${port}`, { ca: certificate.cert, settings });
    await new Promise((resolve, reject) => session.once("remoteSettings", resolve).once("error", reject));
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    /** @param {string} path */
    const request = (path) => session.request({ ":method": "POST", ":path": `/${path}` }, { endStream: false });

    if (role === "b") {
      const control = request(`control/${pair}`);
      let rest = "";
      control.setEncoding("utf8").on("data", (text) => {
        const names = `${rest}${text}`.split(";");
        rest = names.pop() ?? "";
        for (const name of names) onLink(byteLink(request(`b/${name}`), bulk));
      });
      await new Promise((resolve) => control.once("response", resolve));
    }
    let links = 0;
    return {
      open: async () => byteLink(request(`a/${pair}/${links++}`), bulk),
      onLink: (listener) => void (onLink = listener),
    };
  },
};
