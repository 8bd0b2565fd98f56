// SPDX-License-Identifier: Apache-2.0
import { isIPv4 } from "node:net";

import { unmapped } from "../address-bytes.ts";
import { engineMaxDatagramBytes } from "../config.ts";
import { IncomingRing } from "./incoming-ring.ts";
import { errno } from "./layout.ts";
import { systemError } from "./libc.ts";
import type { Libc } from "./libc.ts";
import { NativeSocket } from "./native-socket.ts";
import { OutgoingBatch } from "./outgoing-batch.ts";
import { Turns } from "./turns.ts";
import type { TurnTaker, UdpAddress, UdpEndpoint, UdpEndpointOptions, UdpHandlers } from "./udp-endpoint.ts";
import { Watcher } from "./watcher.ts";

/** For the process: what came in is dealt with before anything else comes in. */
let ring: IncomingRing | undefined;
/** Batches that are not in use; an endpoint has one only while it sends. */
const batches: OutgoingBatch[] = [];
const maxBatches = 4;

/** Over a socket of its own, many datagrams a system call: on Linux, by way of the C library. */
export class BatchEndpoint implements UdpEndpoint {
  readonly #libc: Libc;
  readonly #socket: NativeSocket;
  readonly #turns = new Turns(() => this.#send());
  #handlers: UdpHandlers | undefined;
  #watcher: Watcher | undefined;
  #isTurnDue = false;
  #batch: OutgoingBatch | undefined;
  /** The socket takes no more for now. */
  #blocked = false;
  /** There is no room for the packet that is being built. */
  #dropping = false;
  #closed = false;

  /** @throws an error of the system */
  static open(libc: Libc, options: UdpEndpointOptions): BatchEndpoint {
    return new BatchEndpoint(libc, new NativeSocket(libc, options));
  }

  private constructor(libc: Libc, socket: NativeSocket) {
    this.#libc = libc;
    this.#socket = socket;
    ring ??= new IncomingRing(libc);
  }

  get address(): UdpAddress {
    return this.#socket.address;
  }

  largestDatagram(host: string): number | undefined {
    const remote = { host: unmapped(host), port: anyPort };
    let socket: NativeSocket | undefined;
    try {
      socket = new NativeSocket(this.#libc, { family: isIPv4(remote.host) ? 4 : 6, connect: remote });
      return socket.routeBytes;
    } catch {
      return undefined;
    } finally {
      socket?.close();
    }
  }

  receive(handlers: UdpHandlers): void {
    if (this.#closed) return;
    this.#handlers = handlers;
    this.#watcher = new Watcher(this.#libc, this.#socket.fd, () => {
      if (this.#isTurnDue) return;
      this.#isTurnDue = true;
      setImmediate(this.#takeTurn);
    });
  }

  packetBuffer(bytes: number): Uint8Array {
    if (this.#batch?.hasRoom(bytes) === false) this.#send();
    const batch = this.#closed ? undefined : (this.#batch ??= takeBatch(this.#libc));
    this.#dropping = batch === undefined || !batch.hasRoom(bytes);
    return batch === undefined || this.#dropping ? nowhere.subarray(0, bytes) : batch.room(bytes);
  }

  transmit(length: number, to?: UdpAddress): boolean {
    if (this.#closed || this.#batch === undefined || this.#dropping) return !this.#blocked;
    // Also when there is no room for any packet more: who asks for it then may be told too late that the socket is full.
    const isFull = this.#batch.add(length, to, this.#socket) || !this.#batch.hasRoom(engineMaxDatagramBytes);
    return isFull ? this.#send() : !this.#blocked;
  }

  submit(): void {
    this.#send();
  }

  sendCopy(bytes: Uint8Array, to?: UdpAddress): void {
    if (this.#closed || bytes.length === 0) return;
    const batch = takeBatch(this.#libc);
    batch.room(bytes.length).set(bytes);
    batch.add(bytes.length, to, this.#socket);
    this.#sendBatch(batch);
    giveBack(batch);
  }

  processLater(taker: TurnTaker): void {
    this.#turns.processLater(taker);
  }

  flushLater(taker: TurnTaker, what: "data" | "acknowledgements"): void {
    this.#turns.flushLater(taker, what);
  }

  unref(): void {
    this.#watcher?.unref();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.close();
    this.#watcher?.close();
    this.#socket.close();
    if (this.#batch !== undefined) giveBack(this.#batch);
    this.#batch = undefined;
  }

  readonly #takeTurn = (): void => {
    this.#isTurnDue = false;
    if (this.#closed) return;
    if (this.#blocked) this.#send();
    this.#turns.receive(() => this.#receive());
  };

  #receive(): void {
    const { onDatagram } = this.#handlers as UdpHandlers;
    const count = (ring as IncomingRing).receive(this.#socket);
    if (count > 0) {
      ring?.handOver(count, (datagram, from) => {
        onDatagram(datagram, from);
        return !this.#closed;
      });
      return;
    }
    if (-count === errno.badf) {
      // Somebody else has closed the descriptor. To go on watching it would end the process.
      this.#watcher?.close();
      return;
    }
    if (-count !== errno.again && -count !== errno.intr) this.#report("recvmmsg", -count);
    this.#watcher?.restart();
  }

  /** Sends what was transmitted. False when the socket takes no more for now. */
  #send(): boolean {
    const batch = this.#batch;
    if (batch === undefined || this.#closed) return true;
    const isSent = this.#sendBatch(batch);
    if (isSent) {
      this.#batch = undefined;
      giveBack(batch);
    }
    if (isSent === this.#blocked) {
      this.#blocked = !isSent;
      this.#watcher?.watchWritable(this.#blocked);
      if (this.#blocked) this.#turns.pause();
      else this.#turns.resume();
    }
    return isSent;
  }

  /** What cannot be sent is lost, unless it is only that the socket takes no more for now: then false. */
  #sendBatch(batch: OutgoingBatch): boolean {
    for (let triesLeft = maxTries; ; triesLeft -= 1) {
      let error = -batch.send(this.#socket);
      if (cannotCut.has(error) && batch.isToBeCut) {
        error = -batch.sendApart(this.#socket);
        // If the datagrams are well by themselves, it is that nothing on this way can cut messages.
        if (error === 0) {
          this.#socket.cutsMessages = false;
          batch.skip();
          continue;
        }
      }
      if (error === 0) return true;
      if (error === errno.again) return false;
      // That is what an earlier datagram has met with. The socket forgets it when it has told it.
      if (error === errno.connrefused) this.#report("sendmmsg", error);
      else if (error !== errno.intr) batch.skip();
      if (triesLeft <= 0) batch.skip();
    }
  }

  #report(call: string, error: number): void {
    const { onError } = this.#handlers ?? {};
    if (onError === undefined) return;
    process.nextTick(() => {
      if (!this.#closed) onError(systemError(call, error));
    });
  }
}

/** To be connected to, without anything being sent. */
const anyPort = 9;

/** How often one batch is tried again when the kernel was interrupted or spoke of something else. */
const maxTries = 64;

/** With these the kernel refuses a message that it should cut: also where each datagram by itself would be too large. */
const cannotCut: ReadonlySet<number> = new Set([errno.io, errno.inval, errno.msgsize]);

function takeBatch(libc: Libc): OutgoingBatch {
  return batches.pop() ?? new OutgoingBatch(libc);
}

function giveBack(batch: OutgoingBatch): void {
  batch.clear();
  if (batches.length < maxBatches) batches.push(batch);
}

/** Where a packet is built that will not be sent. */
const nowhere = new Uint8Array(engineMaxDatagramBytes);
