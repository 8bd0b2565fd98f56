// SPDX-License-Identifier: Apache-2.0
import { endianness } from "node:os";
import { getSystemErrorName } from "node:util";
import { isMainThread } from "node:worker_threads";

/**
 * The calls of the C library that {@link NativeSocket} makes, and the event loop's word that a descriptor is ready. Each
 * returns what it returns in C, or `-errno`. Pointers are numbers: see {@link NativeMemory}.
 *
 * Nothing is checked here. Only files of this folder may call it, with lengths that are those of the memory.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: number, addressBytes: number): number;
  connect(fd: number, address: number, addressBytes: number): number;
  getsockname(fd: number, address: number, addressBytes: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, valueBytes: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, valueBytes: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  close(fd: number): number;
  addressOf(memory: Buffer): number;
  /** uv_poll: see {@link Watcher}. */
  poll(fd: number, wanted: PollWanted, callback: (...report: unknown[]) => void): PollHandle;
}

export interface PollHandle {
  start(wanted: PollWanted, callback: (...report: unknown[]) => void): void;
  unref(): void;
  close(): void;
}

export interface PollWanted {
  readable: boolean;
  writable: boolean;
}

type Call = (...args: number[]) => number;

let loading: Promise<Libc | undefined> | undefined;

/**
 * Undefined where it cannot be used: not on Linux, another layout of structures, another runtime than Node (Bun has no
 * uv_poll and ends), or no package `koffi`. Nor in a worker thread, which may be terminated without a word: see {@link Watcher}, which has to be closed before.
 */
export function loadLibc(): Promise<Libc | undefined> {
  return (loading ??= hasKnownLayout() && isNode() && isMainThread ? load() : Promise.resolve(undefined));
}

function isNode(): boolean {
  return process.versions["bun"] === undefined && process.versions["deno"] === undefined;
}

/** `struct msghdr` and the others are laid out as in `layout.ts` on 64-bit little-endian Linux, with glibc and musl alike. */
function hasKnownLayout(): boolean {
  return process.platform === "linux" && ["x64", "arm64"].includes(process.arch) && endianness() === "LE";
}

async function load(): Promise<Libc | undefined> {
  try {
    const koffi = await import("koffi");
    if (typeof koffi.node.poll !== "function" || koffi.sizeof("void *") !== 8) return undefined;
    // The process itself: whichever C library Node runs on.
    const library = koffi.load(null);
    const declare = (name: string, ...parameters: string[]): Call => {
      const call = library.func(name, "int", parameters) as Call;
      return (...args) => {
        const result = call(...args);
        return result < 0 ? -koffi.errno() : result;
      };
    };
    const pointer = "intptr_t";
    return {
      socket: declare("socket", "int", "int", "int"),
      bind: declare("bind", "int", pointer, "uint"),
      connect: declare("connect", "int", pointer, "uint"),
      getsockname: declare("getsockname", "int", pointer, pointer),
      setsockopt: declare("setsockopt", "int", "int", "int", pointer, "uint"),
      getsockopt: declare("getsockopt", "int", "int", "int", pointer, pointer),
      sendmmsg: declare("sendmmsg", "int", pointer, "uint", "int"),
      recvmmsg: declare("recvmmsg", "int", pointer, "uint", "int", pointer),
      close: declare("close", "int"),
      addressOf: (memory) => Number(koffi.address(memory)),
      poll: (fd, wanted, callback) => koffi.node.poll(fd, wanted, callback),
    };
  } catch {
    return undefined;
  }
}

/** An error of the system, in the shape that Node gives its own. */
export function systemError(call: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call });
}
