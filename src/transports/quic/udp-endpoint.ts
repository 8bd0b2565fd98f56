import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";

import { ConecError } from "../../core/errors.ts";
import { engineMaxDatagramBytes } from "./config.ts";

/** Where a datagram goes, in the spelling of the socket's address family. */
export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a datagram came from. */
export type UdpSource = Pick<RemoteInfo, "address" | "port">;

/** What the endpoint calls in every turn of the event loop in which there is something to do. */
export interface TurnTaker {
  /** Datagrams have come in: read streams, go on with waiting writes. */
  process(): void;
  /** Build and send packets. False when the socket was full; it is then called again. */
  flush(): boolean;
}

export interface UdpEndpointOptions {
  family: 4 | 6;
  bind?: { host: string; port: number } | undefined;
  /** A connected socket only hears its peer, and learns when nobody listens there. */
  connect?: UdpAddress | undefined;
}

export interface UdpHandlers {
  onDatagram: (datagram: Buffer, from: RemoteInfo) => void;
  /** The socket reports an error, such as ECONNREFUSED on a connected one. It goes on working. */
  onError?: (error: NodeJS.ErrnoException) => void;
}

const wantedSocketBufferBytes = [8, 4, 2, 1].map((mebibytes) => mebibytes * 1024 * 1024);

/**
 * The buffer that packets are built in. One for the process: a packet is handed to the kernel before the next is
 * built. When the kernel does not take it, libuv keeps the memory, and a new buffer takes its place.
 */
let packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
let packetView = packetBuffer;

/**
 * A UDP socket and the order of work around it: datagrams are taken in as they come; once a turn of the event loop
 * (`setImmediate`) the connections they belong to are processed; and when everything that follows from that has run
 * (web streams work in microtasks), packets are built, so that what is sent in one turn shares full packets.
 */
export class UdpEndpoint {
  readonly #socket: Socket;
  readonly #toProcess = new Set<TurnTaker>();
  /** Those with data to send go first: somebody waits for it, and each packet takes its time in the kernel. */
  readonly #toFlush = new Set<TurnTaker>();
  readonly #toAcknowledge = new Set<TurnTaker>();
  #processing = false;
  #flushing = false;
  /** The kernel did not take a packet at once, and libuv keeps it. */
  #queued = false;
  /** Nothing more is sent until libuv has got rid of what it keeps. */
  #blocked = false;
  #closed = false;

  /** @throws ConecError `address-in-use`, `unreachable` (no route), `invalid-argument`. */
  static async open(options: UdpEndpointOptions): Promise<UdpEndpoint> {
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
      throw asOpenError(error, options);
    }
    return new UdpEndpoint(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    enlargeBuffers((bytes) => socket.setRecvBufferSize(bytes));
    enlargeBuffers((bytes) => socket.setSendBufferSize(bytes));
    // What goes wrong with one datagram is as if it were lost.
    socket.on("error", () => {});
  }

  receive({ onDatagram, onError }: UdpHandlers): void {
    this.#socket.on("message", onDatagram);
    if (onError !== undefined) this.#socket.on("error", onError);
  }

  get address(): UdpAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  /** A buffer of `bytes` to build the next packet in; valid until {@link transmit}. */
  packetBuffer(bytes: number): Buffer {
    if (packetView.length !== bytes || packetView.buffer !== packetBuffer.buffer) {
      packetView = packetBuffer.subarray(0, bytes);
    }
    return packetView;
  }

  /**
   * Sends the first `length` bytes of the packet buffer, to `to` or, on a connected socket, its peer. What cannot be
   * sent is lost, as on any network. False when no more should be sent for now.
   */
  transmit(length: number, to?: UdpAddress): boolean {
    if (this.#closed) return true;
    const socket = this.#socket;
    if (this.#queued) {
      // libuv still held an earlier packet. This one goes behind it, and its callback says when both are gone.
      this.#blocked = true;
      const resume = () => {
        this.#queued = false;
        this.#blocked = false;
        if (this.#toFlush.size + this.#toAcknowledge.size > 0) this.#scheduleFlush();
      };
      if (to === undefined) socket.send(packetBuffer, 0, length, resume);
      else socket.send(packetBuffer, 0, length, to.port, to.host, resume);
      packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
      return false;
    }
    if (to === undefined) socket.send(packetBuffer, 0, length);
    else socket.send(packetBuffer, 0, length, to.port, to.host);
    if (socket.getSendQueueCount() > 0) {
      this.#queued = true;
      packetBuffer = Buffer.allocUnsafeSlow(engineMaxDatagramBytes);
    }
    return true;
  }

  /** Sends something small that is not part of the stream of packets. */
  sendCopy(bytes: Uint8Array, to?: UdpAddress): void {
    if (this.#closed) return;
    const copy = Buffer.from(bytes);
    if (to === undefined) this.#socket.send(copy, ignoreSendError);
    else this.#socket.send(copy, to.port, to.host, ignoreSendError);
  }

  processLater(taker: TurnTaker): void {
    this.#toProcess.add(taker);
    if (this.#processing) return;
    this.#processing = true;
    setImmediate(() => {
      this.#processing = false;
      const takers = [...this.#toProcess];
      this.#toProcess.clear();
      for (const each of takers) each.process();
    });
  }

  /** @param what acknowledgements and window updates leave behind the data of others */
  flushLater(taker: TurnTaker, what: "data" | "acknowledgements"): void {
    (what === "data" ? this.#toFlush : this.#toAcknowledge).add(taker);
    if (!this.#blocked) this.#scheduleFlush();
  }

  /** Lets the process end although the socket is still open. */
  unref(): void {
    if (!this.#closed) this.#socket.unref();
  }

  /** Resolves when the port is free. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#toFlush.clear();
    this.#toAcknowledge.clear();
    this.#toProcess.clear();
    return new Promise((resolve) => {
      this.#socket.close(resolve);
    });
  }

  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // A tick that is queued from a microtask runs when the microtasks have run out.
    queueMicrotask(() => process.nextTick(() => this.#flush()));
  }

  #flush(): void {
    this.#flushing = false;
    for (const waiting of [this.#toFlush, this.#toAcknowledge]) {
      for (const taker of waiting) {
        if (this.#closed || !taker.flush()) return;
        this.#toFlush.delete(taker);
        this.#toAcknowledge.delete(taker);
      }
    }
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

function asOpenError(cause: unknown, { bind, connect }: UdpEndpointOptions): ConecError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new ConecError("address-in-use", `Cannot listen: UDP port ${bind?.port} is taken`, { cause });
  }
  if (code === "ERR_SOCKET_BAD_PORT" || code === "EADDRNOTAVAIL" || code === "EACCES" || code === "EINVAL") {
    if (connect === undefined || code !== "EADDRNOTAVAIL") {
      return new ConecError("invalid-argument", `Cannot open a UDP socket: ${message}`, { cause });
    }
  }
  return new ConecError("unreachable", `Cannot open a UDP socket: ${message}`, { cause });
}
