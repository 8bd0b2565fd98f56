/**
 * A bare loop over the QUIC binding that conec uses too: what is left when everything above the binding is left out.
 * A link is one bidirectional stream; the relay copies from stream to stream. Once per turn of the event loop it
 * reads what is readable, writes what fits and sends what there is.
 *
 * It has no more than the workloads need: no messages but length prefixes, packed by hand into 64 KiB writes; in W1
 * not even these. Receivers are handed views of a buffer that is used again. Connections are told apart by port.
 *
 * Flow control: a sender writes as much as its stream takes; the relay reads no more than the other side takes, so
 * that what is unread closes the first sender's window.
 */

import { randomBytes } from "node:crypto";
import quiche from "@matrixai/quic/native/quiche.js";
import { BATCH_BYTES, deframer, frame, inBatches } from "../framing.js";
import { address, bind, Endpoint, makeConfig, readStream, writeStream } from "./bare-loop-quic.js";

/** @typedef {import("@matrixai/quic/native/types.js").Connection} Connection */

const CONNECTION_ID_BYTES = 20;
const EMPTY = new Uint8Array(0);

/** @type {import("../peers.js").Peer} */
export const peer = {
  async relay({ certificate, host, options }) {
    const { socket, port } = await bind(host);
    const config = makeConfig(options, certificate);
    /** @type {Map<number, Endpoint>} By the port of the other side. */
    const endpoints = new Map();
    const turn = oncePerTurn(() => {
      const [one, two] = [...endpoints.values()];
      if (one !== undefined && two !== undefined) {
        forward(one, two);
        forward(two, one);
      }
      for (const endpoint of endpoints.values()) endpoint.flush();
    });

    socket.on("message", (datagram, { port: remotePort, address: host }) => {
      let endpoint = endpoints.get(remotePort);
      if (endpoint === undefined) {
        const [local, remote] = [address(port), address(remotePort)];
        const connection = quiche.Connection.accept(randomBytes(CONNECTION_ID_BYTES), null, local, remote, config);
        const send = (/** @type {Buffer} */ packet) => socket.send(packet, 0, packet.length, remotePort, host);
        endpoint = new Endpoint(connection, local, remote, send, turn);
        endpoints.set(remotePort, endpoint);
      }
      endpoint.receive(datagram);
    });
    return { port };
  },

  async connect({ host, port: remotePort, bulk, options }) {
    const { socket, port } = await bind("0.0.0.0");
    const [local, remote] = [address(port), address(remotePort)];
    await new Promise((resolve) => socket.connect(remotePort, host, () => resolve(undefined)));
    const connection = quiche.Connection.connect(
      "localhost",
      randomBytes(CONNECTION_ID_BYTES),
      local,
      remote,
      makeConfig(options),
    );

    /** @type {Map<number, StreamLink>} */
    const links = new Map();
    /** @type {(link: StreamLink) => void} */
    let onLink = () => {};
    /** @type {() => void} */
    let onEstablished = () => {};
    const established = new Promise((resolve) => (onEstablished = () => resolve(undefined)));
    const input = Buffer.allocUnsafeSlow(4 * BATCH_BYTES);

    /** @param {number} id */
    const addLink = (id) => {
      const link = new StreamLink(connection, id, bulk, { flush: () => endpoint.flush(), turn });
      links.set(id, link);
      return link;
    };
    const turn = oncePerTurn(() => {
      if (connection.isEstablished()) onEstablished();
      for (const id of connection.readable()) {
        let link = links.get(id);
        if (link === undefined) onLink((link = addLink(id)));
        while (!link.isPaused) {
          const read = readStream(connection, id, input);
          if (read === null) break;
          if (read[0] > 0) link.receive(input.subarray(0, read[0]));
          if (read[1]) break;
        }
      }
      for (const link of links.values()) link.write();
      endpoint.flush();
    });
    const endpoint = new Endpoint(connection, local, remote, (packet) => socket.send(packet, 0, packet.length), turn);
    socket.on("message", (datagram) => endpoint.receive(datagram));
    endpoint.flush();
    await established;

    let nextId = 0;
    return {
      async open() {
        const link = addLink(nextId);
        nextId += 4;
        return link;
      },
      onLink: (listener) => void (onLink = listener),
    };
  },
};

/** A stream at A or B: a Link. */
class StreamLink {
  isPaused = false;
  #connection;
  #id;
  #bulk;
  #flush;
  #turn;
  /** @type {(piece: Buffer) => void} */
  #listener = () => {};
  /** Left over from a write that the stream took in part. @type {Uint8Array} */
  #rest = EMPTY;
  #fin = false;
  /** @type {(() => Uint8Array | undefined) | undefined} */
  #next;
  /** @type {() => void} */
  #onSentAll = () => {};

  /**
   * @param {Connection} connection
   * @param {number} id
   * @param {boolean} bulk
   * @param {{ flush: () => void, turn: () => void }} endpoint
   */
  constructor(connection, id, bulk, { flush, turn }) {
    this.#connection = connection;
    this.#id = id;
    this.#bulk = bulk;
    this.#flush = flush;
    this.#turn = turn;
  }

  /** @param {Uint8Array} message */
  send(message) {
    this.#rest = Buffer.concat([this.#rest, frame(message)]);
    this.write();
    this.#flush();
  }

  /** @param {() => Uint8Array | undefined} next */
  sendAll(next) {
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        this.#next = this.#bulk ? next : inBatches(next);
        this.#onSentAll = resolve;
        this.write();
        this.#flush();
      })
    );
  }

  /** @param {(message: Uint8Array) => void} listener */
  onMessage(listener) {
    this.#listener = this.#bulk
      ? listener
      : deframer((message) => {
          if (message.length > 0) listener(message); // an empty one is the end
        });
  }

  /** Ends this direction with an empty message: quiche 0.18 loses a FIN that travels without a byte. */
  close() {
    this.#fin = true;
    this.send(EMPTY);
  }

  pause() {
    this.isPaused = true;
  }

  resume() {
    this.isPaused = false;
    this.#turn();
  }

  /** @param {Buffer} piece */
  receive(piece) {
    this.#listener(piece);
  }

  /** Writes until the stream takes no more. */
  write() {
    while (this.#rest.length > 0 || this.#takeBatch()) {
      const written = writeStream(this.#connection, this.#id, this.#rest, this.#fin);
      this.#rest = this.#rest.subarray(written);
      if (this.#rest.length > 0) return;
    }
  }

  #takeBatch() {
    if (this.#next === undefined) return false;
    this.#rest = this.#next() ?? EMPTY;
    if (this.#rest.length > 0) return true;
    this.#next = undefined;
    this.#onSentAll();
    return false;
  }
}

const relayBuffer = Buffer.allocUnsafeSlow(4 * BATCH_BYTES);

/**
 * Copies what is readable on one connection to the other, as far as that one takes it. What stays unread is
 * readable in the next turn too.
 * @param {Endpoint} from
 * @param {Endpoint} to
 */
function forward(from, to) {
  for (const id of from.connection.readable()) {
    let target = from.joined.get(id);
    if (target === undefined) {
      target = to.openStream();
      from.joined.set(id, target);
      to.joined.set(target, id);
    }
    for (;;) {
      const room = Math.min(to.connection.streamCapacity(target), relayBuffer.length);
      if (room === 0) break;
      const read = readStream(from.connection, id, relayBuffer.subarray(0, room));
      if (read === null) break;
      const written = writeStream(to.connection, target, relayBuffer.subarray(0, read[0]), read[1]);
      if (written !== read[0]) throw new Error(`The stream took ${written} of ${read[0]} bytes for which it had room`);
      if (read[1]) break;
    }
  }
}

/**
 * @param {() => void} work
 * @returns {() => void} Asks for the work to be done once, after the events that have come in already.
 */
function oncePerTurn(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setImmediate(() => {
      asked = false;
      work();
    });
  };
}
