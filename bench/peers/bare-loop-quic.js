/**
 * What the bare loop stands on: one QUIC connection of the binding on a UDP socket. Everything that a loop over the
 * binding needs at least, and nothing that conec adds.
 */

import dgram from "node:dgram";
import quiche from "@matrixai/quic/native/quiche.js";

/** @typedef {import("@matrixai/quic/native/types.js").Connection} Connection */

const SOCKET_BUFFER_BYTES = 8 << 20;
/** Unlimited, as a lost MAX_DATA is never repeated (quiche 0.18); the windows of the streams bound the memory. */
const CONNECTION_WINDOW_BYTES = 2 ** 40;
const STREAM_WINDOW_BYTES = 4 << 20;

/** One QUIC connection on a UDP socket: datagrams in, datagrams out, one timer. */
export class Endpoint {
  /** Which stream of the other connection a stream is joined with (at the relay). @type {Map<number, number>} */
  joined = new Map();
  #nextServerId = 1;
  #output = Buffer.allocUnsafeSlow(65535);
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #path;
  #send;
  #turn;

  /**
   * @param {Connection} connection
   * @param {{ host: string, port: number }} local
   * @param {{ host: string, port: number }} remote
   * @param {(packet: Buffer) => void} send
   * @param {() => void} turn Asks for the work of a turn.
   */
  constructor(connection, local, remote, send, turn) {
    this.connection = connection;
    this.#path = { from: remote, to: local };
    this.#send = send;
    this.#turn = turn;
  }

  /** @param {Buffer} datagram */
  receive(datagram) {
    try {
      this.connection.recv(datagram, this.#path);
    } catch (error) {
      if (!isDone(error)) throw error;
    }
    this.#turn();
  }

  flush() {
    for (let sent = this.connection.send(this.#output); sent !== null; sent = this.connection.send(this.#output)) {
      const packet = Buffer.allocUnsafe(sent[0]);
      this.#output.copy(packet, 0, 0, sent[0]);
      this.#send(packet);
    }
    clearTimeout(this.#timer);
    const timeoutMs = this.connection.timeout();
    if (timeoutMs === null) return;
    this.#timer = setTimeout(
      () => {
        this.connection.onTimeout();
        this.#turn();
      },
      Math.max(1, timeoutMs),
    );
  }

  /** Opens a stream from the relay to a client. */
  openStream() {
    const id = this.#nextServerId;
    this.#nextServerId += 4;
    this.connection.streamSend(id, new Uint8Array(0), false);
    return id;
  }
}

/**
 * @param {Connection} connection
 * @param {number} id
 * @param {Uint8Array} buffer
 */
export function readStream(connection, id, buffer) {
  try {
    return connection.streamRecv(id, buffer);
  } catch (error) {
    if (isDone(error)) return null;
    throw error;
  }
}

/**
 * @param {Connection} connection
 * @param {number} id
 * @param {Uint8Array} bytes
 * @param {boolean} fin
 * @returns {number} How many bytes it took.
 */
export function writeStream(connection, id, bytes, fin) {
  try {
    return connection.streamSend(id, bytes, fin) ?? 0;
  } catch (error) {
    if (isDone(error)) return 0;
    throw error;
  }
}

/** @param {unknown} error */
function isDone(error) {
  return error instanceof Error && error.message === "Done";
}

/**
 * @param {string} localHost
 * @returns {Promise<{ socket: dgram.Socket, port: number }>}
 */
export async function bind(localHost) {
  /**
   * Hosts are addresses here: a look-up that answers at once spares one turn of the microtask queue a packet.
   * @param {string} host
   * @param {unknown} _options
   * @param {(error: null, address: string, family: number) => void} callback
   */
  const lookup = (host, _options, callback) => callback(null, host, 4);
  const socket = dgram.createSocket({ type: "udp4", lookup: /** @type {any} */ (lookup) });
  await new Promise((resolve) => socket.bind(0, localHost, () => resolve(undefined)));
  socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
  socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  return { socket, port: socket.address().port };
}

/**
 * What the binding is told of an address: the port tells connections apart here.
 * @param {number} port
 */
export function address(port) {
  return { host: "127.0.0.1", port };
}

/**
 * @param {import("../peers.js").RowOptions} options
 * @param {import("../peers.js").Certificate} [certificate] At the relay.
 */
export function makeConfig({ maxDatagramBytes = 1350 }, certificate) {
  const key = certificate && [Buffer.from(certificate.key)];
  const cert = certificate && [Buffer.from(certificate.cert)];
  const config = quiche.Config.withBoringSslCtx(false, false, null, key ?? null, cert ?? null, null);
  config.setApplicationProtos(["bench"]);
  config.setMaxIdleTimeout(60_000);
  config.setMaxRecvUdpPayloadSize(65527);
  config.setMaxSendUdpPayloadSize(maxDatagramBytes);
  config.setInitialMaxData(CONNECTION_WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiLocal(STREAM_WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiRemote(STREAM_WINDOW_BYTES);
  config.setInitialMaxStreamsBidi(10_000);
  config.setMaxConnectionWindow(CONNECTION_WINDOW_BYTES);
  config.setMaxStreamWindow(4 * STREAM_WINDOW_BYTES);
  config.setDisableActiveMigration(true);
  config.enablePacing(false);
  return config;
}
