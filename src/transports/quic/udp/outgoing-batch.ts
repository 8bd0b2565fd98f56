// SPDX-License-Identifier: Apache-2.0
import { cmsg, iovec, level, mmsghdr, option, sockaddr, wordOf } from "./layout.ts";
import type { Libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";
import type { NativeSocket } from "./native-socket.ts";
import type { UdpAddress } from "./udp-endpoint.ts";

/** Any kernel cuts a message into so many datagrams (UDP_MAX_SEGMENTS), and IPv4 allows it to hold so much. */
const maxSegments = 64;
const maxMessageBytes = 65_507;

const maxMessages = 64;
const bufferBytes = 128 * 1024;

/**
 * Packets on their way to the kernel, in one call of sendmmsg(2). Those that follow each other to one place and are
 * equally long, but for a shorter last one, make one message, which the kernel cuts into datagrams (UDP_SEGMENT, see
 * udp(7)).
 */
export class OutgoingBatch {
  readonly #buffer: NativeMemory;
  readonly #headers: NativeMemory;
  readonly #vectors: NativeMemory;
  readonly #controls: NativeMemory;
  readonly #names: NativeMemory;
  /** Views of the buffer at the multiples of one size. */
  #views: Uint8Array[] = [];
  #viewBytes = 0;

  /** Messages that are complete, and how many of these are dealt with. */
  #messages = 0;
  #done = 0;
  /** Where each message starts in the buffer, and where the next packet goes. */
  readonly #starts = new Uint32Array(maxMessages);
  #end = 0;

  // The message that packets are still added to, behind those that are complete.
  #isOpen = false;
  #to: UdpAddress | undefined;
  #segmentBytes = 0;
  #segments = 0;

  constructor(libc: Libc) {
    this.#buffer = new NativeMemory(libc, bufferBytes);
    this.#headers = new NativeMemory(libc, maxMessages * mmsghdr.bytes);
    this.#vectors = new NativeMemory(libc, maxMessages * iovec.bytes);
    this.#controls = new NativeMemory(libc, maxMessages * cmsg.bytes);
    this.#names = new NativeMemory(libc, maxMessages * sockaddr.slotBytes);
    for (let index = 0; index < maxMessages; index += 1) {
      const header = wordOf(mmsghdr, index);
      this.#headers.point(header + mmsghdr.name, this.#names, index * sockaddr.slotBytes, sockaddr.bytes6);
      this.#headers.point(header + mmsghdr.iov, this.#vectors, index * iovec.bytes, iovec.bytes);
      this.#headers.point(header + mmsghdr.control, this.#controls, index * cmsg.bytes, cmsg.bytes);
      this.#headers.words[header + mmsghdr.iovLength] = 1;
      const control = wordOf(cmsg, index);
      this.#controls.words[control + cmsg.length] = cmsg.headerBytes + 2;
      this.#controls.words[control + cmsg.level] = level.udp;
      this.#controls.words[control + cmsg.type] = option.udpSegment;
    }
  }

  hasRoom(bytes: number): boolean {
    return this.#end + bytes <= bufferBytes && this.#messages + 1 < maxMessages;
  }

  /** Where the next packet of up to `bytes` is to be written. There must be room. */
  room(bytes: number): Uint8Array {
    const start = this.#end;
    if (bytes !== this.#viewBytes) {
      this.#views = [];
      this.#viewBytes = bytes;
    }
    if (start % bytes !== 0) return this.#buffer.bytes.subarray(start, start + bytes);
    return (this.#views[start / bytes] ??= this.#buffer.bytes.subarray(start, start + bytes));
  }

  /**
   * Takes the packet that was written to the room last returned. True when its message is as long as one can be, so that
   * there is nothing to wait for.
   */
  add(length: number, to: UdpAddress | undefined, socket: NativeSocket): boolean {
    if (!this.#isOpen || to !== this.#to || length > this.#segmentBytes) this.#begin(length, to, socket);
    this.#end += length;
    this.#segments += 1;
    const messageBytes = this.#end - (this.#starts[this.#messages] as number);
    const isFull = this.#segments === maxSegments || messageBytes + this.#segmentBytes > maxMessageBytes;
    if (isFull || length < this.#segmentBytes || !socket.cutsMessages) this.#complete();
    return isFull;
  }

  /** Sends what was added. Returns 0 when all is dealt with, or `-errno` of the first message that is not. */
  send(socket: NativeSocket): number {
    this.#complete();
    while (this.#done < this.#messages) {
      const sent = socket.send(this.#headers, this.#done, this.#messages - this.#done);
      if (sent < 0) return sent;
      this.#done += sent;
    }
    this.clear();
    return 0;
  }

  /** Whether the first message that is not dealt with is one for the kernel to cut. */
  get isToBeCut(): boolean {
    return this.#headers.words[wordOf(mmsghdr, this.#done) + mmsghdr.controlLength] !== 0;
  }

  /** Sends the datagrams of that message one by one. Returns 0 when all have left, or `-errno` of the first that is still in it. */
  sendApart(socket: NativeSocket): number {
    const header = wordOf(mmsghdr, this.#done);
    const segmentBytes = this.#controls.words[wordOf(cmsg, this.#done) + cmsg.value] as number;
    let start = this.#starts[this.#done] as number;
    const end = start + (this.#vectors.words[wordOf(iovec, this.#done) + iovec.length] as number);
    let result = 0;
    this.#headers.words[header + mmsghdr.controlLength] = 0;
    while (start < end) {
      this.#point(this.#done, start, Math.min(segmentBytes, end - start));
      result = socket.send(this.#headers, this.#done, 1);
      if (result < 0) break;
      start += segmentBytes;
    }
    if (start >= end) return 0;
    this.#starts[this.#done] = start;
    this.#point(this.#done, start, end - start);
    this.#headers.words[header + mmsghdr.controlLength] = cmsg.bytes;
    return result;
  }

  /** The first message that is not dealt with, is so now: it is lost. */
  skip(): void {
    this.#done += 1;
  }

  clear(): void {
    this.#isOpen = false;
    this.#messages = 0;
    this.#done = 0;
    this.#end = 0;
  }

  #begin(segmentBytes: number, to: UdpAddress | undefined, socket: NativeSocket): void {
    this.#complete();
    const index = this.#messages;
    const header = wordOf(mmsghdr, index);
    const nameLength = to === undefined ? 0 : socket.writeAddress(to, this.#names.bytes, index * sockaddr.slotBytes);
    this.#headers.words[header + mmsghdr.nameLength] = nameLength;
    this.#starts[index] = this.#end;
    this.#isOpen = true;
    this.#to = to;
    this.#segmentBytes = segmentBytes;
    this.#segments = 0;
  }

  #complete(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const index = this.#messages;
    const start = this.#starts[index] as number;
    this.#point(index, start, this.#end - start);
    this.#headers.words[wordOf(mmsghdr, index) + mmsghdr.controlLength] = this.#segments > 1 ? cmsg.bytes : 0;
    this.#controls.words[wordOf(cmsg, index) + cmsg.value] = this.#segmentBytes;
    this.#messages += 1;
  }

  #point(index: number, start: number, length: number): void {
    const vector = wordOf(iovec, index);
    this.#vectors.point(vector + iovec.base, this.#buffer, start, length);
    this.#vectors.words[vector + iovec.length] = length;
  }
}
