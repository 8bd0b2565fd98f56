// SPDX-License-Identifier: Apache-2.0
import { errno, family as families, level, mmsghdr, option, pmtudiscProbe, sockaddr, socketType } from "./layout.ts";
import { systemError } from "./libc.ts";
import type { Libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";
import { readSocketAddress, writeSocketAddress } from "./socket-addresses.ts";
import { wantedSocketBufferBytes } from "./socket-buffers.ts";
import type { UdpAddress, UdpEndpointOptions } from "./udp-endpoint.ts";

/** A non-blocking UDP socket by its descriptor, which is never used after {@link close}. */
export class NativeSocket {
  readonly family: 4 | 6;
  readonly address: UdpAddress;
  /** Whether the kernel is to cut messages into datagrams (UDP_SEGMENT, since Linux 4.18). */
  cutsMessages: boolean;
  readonly #libc: Libc;
  readonly #addresses = new WeakMap<UdpAddress, Buffer>();
  #fd: number;

  /** @throws an error of the system, with its `code` */
  constructor(libc: Libc, { family, bind, connect }: UdpEndpointOptions) {
    this.#libc = libc;
    this.family = family;
    scratch ??= new NativeMemory(libc, sockaddr.bytes6);
    this.#fd = check("socket", libc.socket(family === 4 ? families.ipv4 : families.ipv6, socketType, 0));
    try {
      if (family === 6) this.#set(level.ipv6, option.ipv6Only, 0);
      if (bind !== undefined) {
        const length = writeSocketAddress(scratch.bytes, bind, family);
        check("bind", libc.bind(this.#fd, scratch.address, length));
      }
      if (connect !== undefined) {
        const length = writeSocketAddress(scratch.bytes, connect, family);
        check("connect", libc.connect(this.#fd, scratch.address, length));
      }
      this.address = this.#readAddress(scratch);
      this.cutsMessages = this.#set(level.udp, option.udpSegment, 0);
      // Where one of these is not known, it is as with Node's own sockets.
      this.#set(level.udp, option.udpGro, 1);
      this.#set(level.ip, option.ipMtuDiscover, pmtudiscProbe);
      if (family === 6) this.#set(level.ipv6, option.ipv6MtuDiscover, pmtudiscProbe);
      for (const name of [option.receiveBuffer, option.sendBuffer]) {
        wantedSocketBufferBytes.some((bytes) => this.#set(level.socket, name, bytes));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The largest datagram, as UDP payload, that the way to the address it is connected to takes in one piece, or undefined. */
  get routeBytes(): number | undefined {
    const [value, length] = [scratch as NativeMemory, lengthScratch as NativeMemory];
    length.words[0] = 4;
    const [at, name] = this.family === 4 ? [level.ip, option.ipMtu] : [level.ipv6, option.ipv6Mtu];
    if (this.#libc.getsockopt(this.#fd, at, name, value.address, length.address) < 0) return undefined;
    return (value.words[0] as number) - headerBytes[this.family];
  }

  get fd(): number {
    return this.#fd;
  }

  /** Sends `count` messages from the one at `first`. Returns how many were sent, or `-errno` of the first. */
  send(messages: NativeMemory, first: number, count: number): number {
    if (this.#fd < 0) return -errno.badf;
    assertWithin(messages, first, count);
    return this.#libc.sendmmsg(this.#fd, messages.address + first * mmsghdr.bytes, count, 0);
  }

  /** Receives into the first `count` messages. Returns how many were received, or `-errno`. */
  receive(messages: NativeMemory, count: number): number {
    if (this.#fd < 0) return -errno.badf;
    assertWithin(messages, 0, count);
    return this.#libc.recvmmsg(this.#fd, messages.address, count, 0, 0);
  }

  /** Writes a destination as `send` wants it and returns its length: 0, which `send` refuses, if it is none for this socket. */
  writeAddress(to: UdpAddress, out: Buffer, offset: number): number {
    let known = this.#addresses.get(to);
    if (known === undefined) {
      known = Buffer.alloc(sockaddr.bytes6);
      try {
        known = known.subarray(0, writeSocketAddress(known, to, this.family));
      } catch {
        known = known.subarray(0, 0);
      }
      this.#addresses.set(to, known);
    }
    out.set(known, offset);
    return known.length;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#libc.close(this.#fd);
    // The number may be another descriptor's from now on.
    this.#fd = -1;
  }

  #set(at: number, name: number, value: number): boolean {
    const number = scratch as NativeMemory;
    number.words[0] = value;
    return this.#libc.setsockopt(this.#fd, at, name, number.address, 4) === 0;
  }

  #readAddress(place: NativeMemory): UdpAddress {
    lengthScratch ??= new NativeMemory(this.#libc, 4);
    lengthScratch.words[0] = place.bytes.length;
    check("getsockname", this.#libc.getsockname(this.#fd, place.address, lengthScratch.address));
    const read = readSocketAddress(place.bytes, lengthScratch.words[0]);
    if (read === undefined) throw systemError("getsockname", errno.inval);
    return { host: read.address, port: read.port };
  }
}

/** Of IP and UDP. */
const headerBytes = { 4: 28, 6: 48 };

/** What a call is handed by address must outlive it, so this memory is never freed. */
let scratch: NativeMemory | undefined;
let lengthScratch: NativeMemory | undefined;

function check(call: string, result: number): number {
  if (result < 0) throw systemError(call, -result);
  return result;
}

function assertWithin(messages: NativeMemory, first: number, count: number): void {
  if (first >= 0 && count > 0 && (first + count) * mmsghdr.bytes <= messages.bytes.length) return;
  throw new RangeError(`There are no ${count} messages at ${first}`);
}
