import { cmsg, family, iovec, level, mmsghdr, option, sockaddr } from "../../src/transports/quic/udp/layout.ts";
import type { Libc } from "../../src/transports/quic/udp/libc.ts";
import type { UdpAddress } from "../../src/transports/quic/udp/udp-endpoint.ts";

/** What a call of sendmmsg(2) comes to: so many messages are taken at most, or an error is returned. */
export type Outcome = number | "again" | "intr" | "refused" | "invalid" | "full";

export interface Datagram {
  readonly text: string;
  readonly port: number;
}

/** A message as the receiving side of the kernel has it: datagrams of one source, joined. */
export interface Message {
  readonly text: string;
  readonly segmentBytes: number;
  readonly from: UdpAddress;
}

const errnoOf = { again: 11, intr: 4, refused: 111, invalid: 22, full: 105 };

/**
 * The system calls of a UDP socket, without a system: reads and writes the same structures, and throws where the real one
 * would reach outside of the memory that it was given.
 */
export class UdpKernel implements Libc {
  /** What has left. */
  sent: Datagram[] = [];
  /** For the next calls of sendmmsg; then all goes well. */
  outcomes: Outcome[] = [];
  /** Waits to be received. */
  waiting: Message[] = [];
  /** Written over what recvmmsg returns. */
  scribble: ((words: Uint32Array, which: "header" | "control") => void) | undefined;
  isWatchingWritable = false;
  readonly #memory: { address: number; bytes: Buffer }[] = [];
  #nextAddress = 2 ** 40;
  #ready: (() => void) | undefined;

  wake(): void {
    this.#ready?.();
  }

  addressOf(memory: Buffer): number {
    const address = this.#nextAddress;
    this.#nextAddress += Math.ceil(memory.length / 4096) * 4096 + 4096;
    this.#memory.push({ address, bytes: memory });
    return address;
  }

  socket = (): number => 1000;
  bind = (): number => 0;
  connect = (): number => 0;
  setsockopt = (): number => 0;
  getsockopt = (): number => 0;
  close = (): number => 0;

  getsockname(_fd: number, address: number): number {
    const name = this.#at(address, sockaddr.bytes4);
    name.writeUInt16LE(family.ipv4, 0);
    return 0;
  }

  poll(_fd: number, wanted: { writable: boolean }, callback: (...report: unknown[]) => void): ReturnType<Libc["poll"]> {
    this.#ready = () => callback(0, {});
    this.isWatchingWritable = wanted.writable;
    return {
      start: (now) => void (this.isWatchingWritable = now.writable),
      unref() {},
      close: () => void (this.#ready = undefined),
    };
  }

  sendmmsg(_fd: number, messages: number, count: number): number {
    const outcome = this.outcomes.shift() ?? count;
    const headers = Array.from({ length: count }, (_, index) =>
      this.#at(messages + index * mmsghdr.bytes, mmsghdr.bytes),
    );
    const read = headers.map((header) => this.#readMessage(header));
    if (outcome === "invalid") return read[0]!.isCut ? -errnoOf.invalid : this.#take(read.slice(0, 1));
    if (typeof outcome === "string") return -errnoOf[outcome];
    return this.#take(read.slice(0, Math.max(1, outcome)));
  }

  recvmmsg(_fd: number, messages: number, count: number): number {
    const taken = this.waiting.splice(0, count);
    for (const [index, { text, segmentBytes, from }] of taken.entries()) {
      const header = this.#at(messages + index * mmsghdr.bytes, mmsghdr.bytes);
      const data = this.#vector(header);
      data.write(text, "latin1");
      const name = this.#at(pointer(header, mmsghdr.name), header.readUInt32LE(4 * mmsghdr.nameLength));
      name.writeUInt16LE(family.ipv4, 0);
      name.writeUInt16BE(from.port, 2);
      for (const [at, byte] of from.host.split(".").entries()) name[4 + at] = Number(byte);
      header.writeUInt32LE(sockaddr.bytes4, 4 * mmsghdr.nameLength);
      const control = this.#at(pointer(header, mmsghdr.control), header.readUInt32LE(4 * mmsghdr.controlLength));
      const isJoined = segmentBytes < text.length;
      header.writeUInt32LE(isJoined ? cmsg.bytes : 0, 4 * mmsghdr.controlLength);
      if (isJoined) {
        control.writeUInt32LE(cmsg.headerBytes + 4, 4 * cmsg.length);
        control.writeUInt32LE(level.udp, 4 * cmsg.level);
        control.writeUInt32LE(option.udpGro, 4 * cmsg.type);
        control.writeUInt32LE(segmentBytes, 4 * cmsg.value);
      }
      header.writeUInt32LE(0, 4 * mmsghdr.flags);
      header.writeUInt32LE(text.length, 4 * mmsghdr.messageLength);
      this.scribble?.(wordsOf(header), "header");
      this.scribble?.(wordsOf(control), "control");
    }
    return taken.length === 0 ? -errnoOf.again : taken.length;
  }

  #take(messages: { datagrams: Datagram[] }[]): number {
    this.sent.push(...messages.flatMap(({ datagrams }) => datagrams));
    return messages.length;
  }

  #readMessage(header: Buffer): { datagrams: Datagram[]; isCut: boolean } {
    const text = this.#vector(header).toString("latin1");
    const nameLength = header.readUInt32LE(4 * mmsghdr.nameLength);
    const port = nameLength === 0 ? 0 : this.#at(pointer(header, mmsghdr.name), nameLength).readUInt16BE(2);
    const controlLength = header.readUInt32LE(4 * mmsghdr.controlLength);
    if (controlLength === 0) return { datagrams: [{ text, port }], isCut: false };
    const control = this.#at(pointer(header, mmsghdr.control), controlLength);
    const segmentBytes = control.readUInt16LE(4 * cmsg.value);
    if (segmentBytes === 0 || text.length > 64 * segmentBytes || text.length > 65_507) throw new Error("Not to be cut");
    const datagrams: Datagram[] = [];
    for (let start = 0; start < text.length; start += segmentBytes) {
      datagrams.push({ text: text.slice(start, start + segmentBytes), port });
    }
    return { datagrams, isCut: true };
  }

  #vector(header: Buffer): Buffer {
    if (header.readUInt32LE(4 * mmsghdr.iovLength) !== 1) throw new Error("Not one piece");
    const vector = this.#at(pointer(header, mmsghdr.iov), iovec.bytes);
    return this.#at(pointer(vector, iovec.base), vector.readUInt32LE(4 * iovec.length));
  }

  #at(address: number, length: number): Buffer {
    const found = this.#memory.findLast((each) => each.address <= address);
    if (found === undefined || address + length > found.address + found.bytes.length) {
      throw new Error(`Reaches outside of memory: ${length} bytes at ${address}`);
    }
    return found.bytes.subarray(address - found.address, address - found.address + length);
  }
}

function pointer(structure: Buffer, word: number): number {
  return Number(structure.readBigUInt64LE(4 * word));
}

function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
