/**
 * The stream classes of @matrixai/quic, the package whose native binding conec drives by itself. A link is one
 * bidirectional QUICStream; the relay pipes it into one of its own. Flow control is the web streams' own.
 */

import { createHmac, webcrypto } from "node:crypto";
import { events, QUICClient, QUICServer } from "@matrixai/quic";
import Logger, { LogLevel } from "@matrixai/logger";
import { deframer, frame } from "../framing.js";

/** @typedef {import("@matrixai/quic").QUICConnection} QUICConnection */
/** @typedef {import("@matrixai/quic").QUICStream} QUICStream */

/** Silent: its default logger writes every packet's story to the terminal. */
const logger = new Logger("bench", LogLevel.SILENT);
const config = {
  verifyPeer: false,
  applicationProtos: ["bench"],
  maxIdleTimeout: 60_000,
  initialMaxStreamsBidi: 10_000,
};

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host }) {
    const server = new QUICServer({
      crypto: makeServerCrypto(),
      config: { ...config, key: certificate.key, cert: certificate.cert },
      logger,
    });
    /** @type {QUICConnection[]} */
    const connections = [];
    let bothAreHere = () => {};
    /** @type {Promise<void>} */
    const both = new Promise((resolve) => (bothAreHere = resolve));
    server.addEventListener(events.EventQUICServerConnection.name, (/** @type {any} */ event) => {
      /** @type {QUICConnection} */
      const connection = event.detail;
      connections.push(connection);
      if (connections.length === 2) bothAreHere();
      onStream(connection, async (stream) => {
        await both; // the sender may be told of its connection before the receiver is
        const other = /** @type {QUICConnection} */ (connections.find((candidate) => candidate !== connection));
        const joined = other.newStream();
        void stream.readable.pipeTo(joined.writable);
        void joined.readable.pipeTo(stream.writable);
      });
    });
    await server.start({ host, port: 0 });
    return { port: server.port };
  },

  async connect({ host, port, bulk }) {
    const client = await QUICClient.createQUICClient({
      host,
      port,
      localHost: host,
      crypto: { ops: { randomBytes: async (data) => void webcrypto.getRandomValues(new Uint8Array(data)) } },
      config,
      logger,
    });
    return {
      open: async () => link(client.connection.newStream(), bulk),
      onLink: (listener) => onStream(client.connection, (stream) => listener(link(stream, bulk))),
    };
  },
};

/**
 * @param {QUICStream} stream
 * @param {boolean} bulk
 * @returns {import("../peers.js").Link}
 */
function link(stream, bulk) {
  const writer = stream.writable.getWriter();
  return {
    send: (message) => void writer.write(frame(message)),
    async sendAll(next) {
      for (let message = next(); message !== undefined; message = next()) {
        await writer.ready;
        void writer.write(bulk ? message : frame(message));
      }
    },
    onMessage: (listener) => void read(stream, bulk ? listener : deframer(listener)),
    close: () => void writer.close(),
  };
}

/**
 * @param {QUICStream} stream
 * @param {(piece: Buffer) => void} listener
 */
async function read(stream, listener) {
  for await (const piece of stream.readable) {
    listener(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
  }
}

/**
 * @param {QUICConnection} connection
 * @param {(stream: QUICStream) => unknown} listener
 */
function onStream(connection, listener) {
  connection.addEventListener(events.EventQUICConnectionStream.name, (/** @type {any} */ event) => {
    void listener(event.detail);
  });
}

/**
 * What the server signs its Retry tokens with.
 * @returns {{ key: ArrayBuffer, ops: import("@matrixai/quic").ServerCryptoOps }}
 */
function makeServerCrypto() {
  /** @param {ArrayBuffer} key @param {ArrayBuffer} data */
  const digest = (key, data) => createHmac("sha256", Buffer.from(key)).update(Buffer.from(data)).digest();
  return {
    key: webcrypto.getRandomValues(new Uint8Array(32)).buffer,
    ops: {
      sign: async (key, data) => Uint8Array.from(digest(key, data)).buffer,
      verify: async (key, data, signature) => digest(key, data).equals(Buffer.from(signature)),
    },
  };
}
