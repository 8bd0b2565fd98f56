// SPDX-License-Identifier: Apache-2.0
import { isIPv4 } from "node:net";

/** The 4 or 16 bytes of a valid IP address in text form, without zone. */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  const [head = "", tail] = (address.split("%")[0] as string).split("::");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 16 - left.length - right.length }, () => 0);
  return Uint8Array.from([...left, ...zeros, ...right]);
}

/** 127.0.0.0/8 and ::1, also as an IPv4 address in IPv6 form: datagrams of any size get through. */
export function isLoopback(address: string): boolean {
  const host = unmapped(address);
  return host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** Of networks that are nobody's but their owner's (RFC 1918, RFC 4193), and of a single link (RFC 3927, RFC 4291). */
export function isPrivate(address: string): boolean {
  const [first = 0, second = 0, ...rest] = addressBytes(unmapped(address));
  if (rest.length > 2) return (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80);
  if (first === 10 || (first === 192 && second === 168) || (first === 169 && second === 254)) return true;
  return first === 172 && second >= 16 && second < 32;
}

/** An IPv4 address that a dual-stack socket reports as IPv6 (`::ffff:192.0.2.1`), in its usual form. */
export function unmapped(address: string): string {
  return address.startsWith("::ffff:") && isIPv4(address.slice(7)) ? address.slice(7) : address;
}

function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return [...addressBytes(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
