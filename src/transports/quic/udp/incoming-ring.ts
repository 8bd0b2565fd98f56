// SPDX-License-Identifier: Apache-2.0
import { cmsg, flag, iovec, level, mmsghdr, option, sockaddr, wordBytes, wordOf } from "./layout.ts";
import type { Libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";
import type { NativeSocket } from "./native-socket.ts";
import { SourceCache } from "./socket-addresses.ts";
import type { UdpSource } from "./udp-endpoint.ts";

/** How many messages one call takes in, and how long each may be. */
const maxMessages = 8;
const slotBytes = 65_536;

/**
 * Memory that datagrams come into with recvmmsg(2), used again with each call. A message is one datagram, or several of
 * one source and size, the last of which may be shorter: those the kernel has joined, and it says how long each is
 * (UDP_GRO, see udp(7)).
 */
export class IncomingRing {
  readonly #headers: NativeMemory;
  readonly #vectors: NativeMemory;
  readonly #controls: NativeMemory;
  readonly #names: NativeMemory;
  readonly #slots: Slot[];
  readonly #sources = new SourceCache();

  constructor(libc: Libc) {
    this.#headers = new NativeMemory(libc, maxMessages * mmsghdr.bytes);
    this.#vectors = new NativeMemory(libc, maxMessages * iovec.bytes);
    this.#controls = new NativeMemory(libc, maxMessages * cmsg.bytes);
    this.#names = new NativeMemory(libc, maxMessages * sockaddr.slotBytes);
    this.#slots = Array.from({ length: maxMessages }, (_, index) => new Slot(libc, this.#names, index));
    for (const [index, { memory }] of this.#slots.entries()) {
      const header = wordOf(mmsghdr, index);
      const vector = wordOf(iovec, index);
      this.#headers.point(header + mmsghdr.name, this.#names, index * sockaddr.slotBytes, sockaddr.bytes6);
      this.#headers.point(header + mmsghdr.iov, this.#vectors, index * iovec.bytes, iovec.bytes);
      this.#headers.point(header + mmsghdr.control, this.#controls, index * cmsg.bytes, cmsg.bytes);
      this.#headers.words[header + mmsghdr.iovLength] = 1;
      this.#vectors.point(vector + iovec.base, memory, 0, slotBytes);
      this.#vectors.words[vector + iovec.length] = slotBytes;
    }
  }

  /** Takes in what waits at the socket. Returns how many messages that is, or `-errno`. */
  receive(socket: NativeSocket): number {
    const { words } = this.#headers;
    for (let index = 0; index < maxMessages; index += 1) {
      const header = wordOf(mmsghdr, index);
      words[header + mmsghdr.nameLength] = sockaddr.bytes6;
      words[header + mmsghdr.controlLength] = cmsg.bytes;
    }
    return socket.receive(this.#headers, maxMessages);
  }

  /**
   * Hands over the datagrams of the first `count` messages, in memory that is used again after the call. Stops when
   * `onDatagram` returns false. What was cut off, or does not say where it is from, is left out.
   */
  handOver(count: number, onDatagram: (datagram: Buffer, from: UdpSource) => boolean): void {
    const { words } = this.#headers;
    for (let index = 0; index < Math.min(count, maxMessages); index += 1) {
      const slot = this.#slots[index] as Slot;
      const header = wordOf(mmsghdr, index);
      const length = words[header + mmsghdr.messageLength] as number;
      const datagramBytes = this.#datagramBytes(index, length);
      const from = this.#sources.read(slot.name, slot.nameWords, words[header + mmsghdr.nameLength] as number);
      if (datagramBytes === 0 || from === undefined) continue;
      for (let start = 0; start < length; start += datagramBytes) {
        if (!onDatagram(slot.view(start, Math.min(datagramBytes, length - start)), from)) return;
      }
    }
  }

  /** How long each datagram of a message is. 0 where that is not known for certain. */
  #datagramBytes(index: number, length: number): number {
    const header = wordOf(mmsghdr, index);
    const flags = this.#headers.words[header + mmsghdr.flags] as number;
    if (length > slotBytes || (flags & (flag.truncated | flag.controlTruncated)) !== 0) return 0;
    if (this.#headers.words[header + mmsghdr.controlLength] === 0) return length;
    const { words } = this.#controls;
    const control = wordOf(cmsg, index);
    if (words[control + cmsg.level] !== level.udp || words[control + cmsg.type] !== option.udpGro) return 0;
    const bytes = words[control + cmsg.value] as number;
    return bytes <= length ? bytes : 0;
  }
}

/** Where one message comes in. */
class Slot {
  readonly memory: NativeMemory;
  readonly name: Buffer;
  readonly nameWords: Uint32Array;
  /** Views of the memory at the multiples of one size: nearly all datagrams have that of those before. */
  #views: Buffer[] = [];
  #viewBytes = 0;

  constructor(libc: Libc, names: NativeMemory, index: number) {
    this.memory = new NativeMemory(libc, slotBytes);
    const start = index * sockaddr.slotBytes;
    this.name = names.bytes.subarray(start, start + sockaddr.slotBytes);
    this.nameWords = names.words.subarray(start / wordBytes, (start + sockaddr.slotBytes) / wordBytes);
  }

  view(start: number, length: number): Buffer {
    if (length !== this.#viewBytes) {
      // A shorter last one does not change what the others are.
      if (start > 0) return this.memory.bytes.subarray(start, start + length);
      this.#views = [];
      this.#viewBytes = length;
    }
    return (this.#views[start / length] ??= this.memory.bytes.subarray(start, start + length));
  }
}
