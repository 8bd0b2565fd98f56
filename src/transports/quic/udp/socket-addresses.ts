// SPDX-License-Identifier: Apache-2.0
import { isIP, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";

import { ConecError } from "../../../core/errors.ts";
import { addressBytes } from "../address-bytes.ts";
import { family, sockaddr } from "./layout.ts";
import type { UdpAddress, UdpSource } from "./udp-endpoint.ts";

/** Writes the address as a struct sockaddr_in or sockaddr_in6 and returns its length. */
export function writeSocketAddress(out: Buffer, { host, port }: UdpAddress, socketFamily: 4 | 6): number {
  if (isIP(host) !== socketFamily) {
    throw new ConecError("invalid-argument", `Cannot use ${host} on an IPv${socketFamily} socket`);
  }
  const length = socketFamily === 4 ? sockaddr.bytes4 : sockaddr.bytes6;
  out.fill(0, 0, length);
  out.writeUInt16LE(socketFamily === 4 ? family.ipv4 : family.ipv6, 0);
  out.writeUInt16BE(port, 2);
  out.set(addressBytes(host), 4 * (socketFamily === 4 ? sockaddr.ipv4 : sockaddr.ipv6));
  if (socketFamily === 6) out.writeUInt32LE(scopeOf(host), 4 * sockaddr.scope);
  return length;
}

/** Reads such a structure. Undefined when it is neither. */
export function readSocketAddress(from: Buffer, length: number): UdpSource | undefined {
  if (length < sockaddr.bytes4) return undefined;
  const port = from.readUInt16BE(2);
  switch (from.readUInt16LE(0)) {
    case family.ipv4:
      return { address: from.subarray(4, 8).join("."), port };
    case family.ipv6:
      if (length < sockaddr.bytes6) return undefined;
      return { address: ipv6Text(from.subarray(8, 24)) + zoneOf(from.readUInt32LE(4 * sockaddr.scope)), port };
    default:
      return undefined;
  }
}

/** Keeps what was read lately: nearly all datagrams come from few places. */
export class SourceCache {
  readonly #entries: ({ readonly words: Uint32Array; readonly source: UdpSource } | undefined)[] = [];

  /** The address of `length` bytes at the start of `bytes`, of which `words` is another view. */
  read(bytes: Buffer, words: Uint32Array, length: number): UdpSource | undefined {
    const count = Math.min(length >> 2, words.length);
    let hash = 0;
    for (let index = 0; index < count; index += 1) hash = Math.imul(hash ^ (words[index] as number), 0x9e3779b1);
    const slot = (hash >>> 16) & (cacheEntries - 1);
    const entry = this.#entries[slot];
    if (entry !== undefined && isEqual(entry.words, words, count)) return entry.source;
    const source = readSocketAddress(bytes, length);
    if (source !== undefined) this.#entries[slot] = { words: words.slice(0, count), source };
    return source;
  }
}

const cacheEntries = 1024;

function isEqual(kept: Uint32Array, words: Uint32Array, count: number): boolean {
  if (kept.length !== count) return false;
  for (let index = 0; index < count; index += 1) if (kept[index] !== words[index]) return false;
  return true;
}

/** As RFC 5952 has it, and libuv: the longest run of zeros is cut, an IPv4 address within stands in its own form. */
function ipv6Text(bytes: Buffer): string {
  const isMapped = bytes.readUInt32BE(8) === 0xffff && bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0;
  if (isMapped) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  const [cut] = [...groups.join(":").matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  if (cut === undefined) return groups.join(":");
  const text = groups.join(":");
  return `${text.slice(0, cut.index).replace(/:$/, "")}::${text.slice(cut.index + cut[0].length).replace(/^:/, "")}`;
}

/** `%eth0`, for an address that says nothing without its interface. */
function zoneOf(scope: number): string {
  return scope === 0 ? "" : `%${interfaces().find((each) => each.scope === scope)?.name ?? scope}`;
}

function scopeOf(host: string): number {
  const zone = host.split("%")[1];
  if (zone === undefined || isIPv4(host)) return 0;
  const scope = interfaces().find((each) => each.name === zone)?.scope ?? Number(zone);
  if (Number.isInteger(scope) && scope >= 0 && scope < 2 ** 32) return scope;
  throw new ConecError("invalid-argument", `Cannot use ${host}: there is no interface ${zone}`);
}

function interfaces(): { name: string; scope: number }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap((each) => (each.family === "IPv6" && each.scopeid > 0 ? [{ name, scope: each.scopeid }] : [])),
  );
}
