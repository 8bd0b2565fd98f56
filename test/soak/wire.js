/**
 * The way from one Client to the Coordinator, over UDP and TCP, as a network would be that fails now and then. Each port that
 * the Client sends from is seen by the server as a port of its own.
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

/** @import { Socket as UdpSocket } from "node:dgram" */
/** @import { Server, Socket } from "node:net" */
/** @import { Random } from "./random.js" */
/** @typedef {"to-server" | "to-client"} Direction */

const host = "127.0.0.1";

export class Wire {
  /** Where the Client dials to. */
  port = 0;
  #serverPort;
  #random;
  /** Directions in which nothing passes. @type {Set<Direction>} */
  #silent = new Set();
  #loss = 0;
  #front = udpSocket();
  /** By the port of the Client. @type {Map<number, UdpSocket>} */
  #backs = new Map();
  /** @type {Server} */
  #server;
  /** Both ends of each connection over TCP. @type {Set<[Socket, Socket]>} */
  #pairs = new Set();

  /** @param {number} serverPort @param {Random} random */
  static async open(serverPort, random) {
    const wire = new Wire(serverPort, random);
    while (!(await wire.#listen())) {
      wire.#front.close(); // the port of TCP was taken
      wire.#front = udpSocket();
    }
    wire.#front.on("message", (datagram, { port }) => wire.#toServer(datagram, port));
    return wire;
  }

  /** @param {number} serverPort @param {Random} random */
  constructor(serverPort, random) {
    this.#serverPort = serverPort;
    this.#random = random;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#connected(socket));
  }

  /** Nothing passes any more. @param {...Direction} directions Default: both. */
  silence(...directions) {
    this.#silent = new Set(directions.length === 0 ? ["to-server", "to-client"] : directions);
    for (const pair of this.#pairs) this.#regulate(pair);
  }

  /** So much of the datagrams is lost. @param {number} share */
  lose(share) {
    this.#loss = share;
  }

  heal() {
    this.#silent.clear();
    this.#loss = 0;
    for (const pair of this.#pairs) this.#regulate(pair);
  }

  /** What a NAT does that has forgotten its table: the server sees the Client elsewhere. */
  rebind() {
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
  }

  /** Connections over TCP are reset. */
  reset() {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async close() {
    this.reset();
    this.rebind();
    this.#front.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A port for both. @returns {Promise<boolean>} False if that of UDP is taken over TCP. */
  async #listen() {
    await new Promise((resolve) => this.#front.bind(0, host, () => resolve(undefined)));
    this.port = this.#front.address().port;
    return await new Promise((resolve) => {
      this.#server.once("error", () => resolve(false));
      this.#server.listen(this.port, host, () => resolve(true));
    });
  }

  // UDP.

  /** @param {Buffer} datagram @param {number} port */
  #toServer(datagram, port) {
    if (!this.#passes("to-server")) return;
    let back = this.#backs.get(port);
    if (back === undefined) {
      const opened = (back = udpSocket());
      opened.on("message", (answer) => {
        if (this.#passes("to-client") && this.#backs.get(port) === opened) this.#front.send(answer, port, host);
      });
      this.#backs.set(port, back);
      for (const [oldest, socket] of this.#backs) {
        if (this.#backs.size <= maxBacks) break;
        this.#backs.delete(oldest);
        socket.close();
      }
    }
    back.send(datagram, this.#serverPort, host);
  }

  /** @param {Direction} direction */
  #passes(direction) {
    return !this.#silent.has(direction) && (this.#loss === 0 || !this.#random.chance(this.#loss));
  }

  // TCP.

  /** @param {Socket} near */
  #connected(near) {
    const far = connect({ port: this.#serverPort, host, allowHalfOpen: true });
    /** @type {[Socket, Socket]} */
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [from, to] of /** @type {const} */ ([
      [near, far],
      [far, near],
    ])) {
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on("drain", () => this.#regulate(pair));
      from.on("end", () => to.end());
      from.on("error", () => {});
      from.on("close", (hadError) => {
        if (hadError) to.destroy();
        else to.end();
        this.#pairs.delete(pair);
      });
    }
    this.#regulate(pair);
  }

  /** @param {[Socket, Socket]} pair */
  #regulate([near, far]) {
    for (const [from, to, direction] of /** @type {const} */ ([
      [near, far, "to-server"],
      [far, near, "to-client"],
    ])) {
      if (this.#silent.has(direction) || to.writableNeedDrain) from.pause();
      else from.resume();
    }
  }
}

function udpSocket() {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024, sendBufferSize: 4 * 1024 * 1024 });
  socket.on("error", () => {});
  return socket;
}

/** Ports of one Client that are remembered. */
const maxBacks = 8;
