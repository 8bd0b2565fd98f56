// SPDX-License-Identifier: Apache-2.0
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";

import { engineMaxDatagramBytes } from "../config.ts";
import { Turns } from "./turns.ts";
import type { TurnTaker, UdpAddress, UdpEndpoint, UdpEndpointOptions, UdpHandlers } from "./udp-endpoint.ts";
import { wantedSocketBufferBytes } from "./socket-buffers.ts";

/**
 * The buffer that packets are built in. One for the process: a packet is handed to the kernel before the next is
 * built. When the kernel does not take it, libuv keeps the memory, and a new buffer takes its place.
 */
let packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
let packetView = packetBuffer;

/** Over `node:dgram`, which sends and receives one datagram a system call. Works everywhere. */
export class DgramEndpoint implements UdpEndpoint {
  readonly #socket: Socket;
  readonly #turns = new Turns(() => true);
  /** The kernel did not take a packet at once, and libuv keeps it. */
  #queued = false;
  #closed = false;

  /** @throws what `node:dgram` fails with */
  static async open(options: UdpEndpointOptions): Promise<DgramEndpoint> {
    const socket = createSocket({
      type: options.family === 4 ? "udp4" : "udp6",
      // Addresses are numeric by now. The default would defer each packet by a tick.
      lookup: (host, _options, callback) => callback(null, host, options.family),
    });
    try {
      if (options.bind !== undefined) {
        const { host, port } = options.bind;
        await whenDone(socket, (done) => socket.bind({ address: host, port, exclusive: true }, done));
      }
      if (options.connect !== undefined) {
        const { host, port } = options.connect;
        await whenDone(socket, (done) => socket.connect(port, host, done));
      }
    } catch (error) {
      socket.close();
      throw error;
    }
    return new DgramEndpoint(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    enlargeBuffers((bytes) => socket.setRecvBufferSize(bytes));
    enlargeBuffers((bytes) => socket.setSendBufferSize(bytes));
    // What goes wrong with one datagram is as if it were lost.
    socket.on("error", () => {});
  }

  get address(): UdpAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  largestDatagram(): undefined {
    return undefined;
  }

  receive({ onDatagram, onError }: UdpHandlers): void {
    this.#socket.on("message", onDatagram);
    if (onError !== undefined) this.#socket.on("error", onError);
  }

  packetBuffer(bytes: number): Uint8Array {
    if (packetView.length !== bytes || packetView.buffer !== packetBuffer.buffer) {
      packetView = packetBuffer.subarray(0, bytes);
    }
    return packetView;
  }

  transmit(length: number, to?: UdpAddress): boolean {
    if (this.#closed) return true;
    const socket = this.#socket;
    if (this.#queued) {
      // libuv still held an earlier packet. This one goes behind it, and its callback says when both are gone.
      this.#turns.pause();
      const resume = () => {
        this.#queued = false;
        this.#turns.resume();
      };
      if (to === undefined) socket.send(packetBuffer, 0, length, resume);
      else socket.send(packetBuffer, 0, length, to.port, to.host, resume);
      packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
      return false;
    }
    if (to === undefined) socket.send(packetBuffer, 0, length);
    else socket.send(packetBuffer, 0, length, to.port, to.host);
    // Deno does not say; it may hold any.
    const held = typeof socket.getSendQueueCount === "function" ? socket.getSendQueueCount() : undefined;
    if (held !== 0) packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
    this.#queued = held !== undefined && held > 0;
    return true;
  }

  submit(): void {
    // Each packet has left by itself.
  }

  sendCopy(bytes: Uint8Array, to?: UdpAddress): void {
    if (this.#closed) return;
    const copy = Buffer.from(bytes);
    if (to === undefined) this.#socket.send(copy, ignoreSendError);
    else this.#socket.send(copy, to.port, to.host, ignoreSendError);
  }

  processLater(taker: TurnTaker): void {
    this.#turns.processLater(taker);
  }

  flushLater(taker: TurnTaker, what: "data" | "acknowledgements"): void {
    this.#turns.flushLater(taker, what);
  }

  unref(): void {
    if (!this.#closed) this.#socket.unref();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#turns.close();
    return new Promise((resolve) => {
      this.#socket.close(resolve);
    });
  }
}

function ignoreSendError(): void {
  // A datagram that cannot be sent is a lost one.
}

function whenDone(socket: Socket, start: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    start((error) => {
      socket.off("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

function enlargeBuffers(set: (bytes: number) => void): void {
  for (const bytes of wantedSocketBufferBytes) {
    try {
      set(bytes);
      return;
    } catch {
      // More than this system allows.
    }
  }
}
