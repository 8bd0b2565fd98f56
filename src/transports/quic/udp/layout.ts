// SPDX-License-Identifier: Apache-2.0
/**
 * Layout of the kernel's structures on 64-bit little-endian Linux, as offsets of 32-bit words, and the constants that go
 * with them (see recvmmsg(2), cmsg(3), udp(7), ip(7), ipv6(7)). The upper halves of 64-bit lengths stay 0.
 */

export const wordBytes = 4;

/** struct mmsghdr: a struct msghdr and how long the message is. */
export const mmsghdr = {
  bytes: 64,
  name: 0,
  nameLength: 2,
  iov: 4,
  iovLength: 6,
  control: 8,
  controlLength: 10,
  flags: 12,
  messageLength: 14,
};

/** struct iovec. */
export const iovec = { bytes: 16, base: 0, length: 2 };

/** struct cmsghdr with one 16- or 32-bit number. */
export const cmsg = { bytes: 24, length: 0, level: 2, type: 3, value: 4, headerBytes: 16 };

/** struct sockaddr_in and sockaddr_in6. Family and port share the first word, the port big-endian in its upper half. */
export const sockaddr = { bytes4: 16, bytes6: 28, slotBytes: 32, ipv4: 1, ipv6: 2, scope: 6 };

export const family = { ipv4: 2, ipv6: 10 };

/** SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK. */
export const socketType = 2 | 0o2000000 | 0o4000;

export const level = { socket: 1, ip: 0, ipv6: 41, udp: 17 };

export const option = {
  sendBuffer: 7,
  receiveBuffer: 8,
  ipMtuDiscover: 10,
  ipMtu: 14,
  ipv6MtuDiscover: 23,
  ipv6Mtu: 24,
  ipv6Only: 26,
  udpSegment: 103,
  udpGro: 104,
};

/** IP_PMTUDISC_PROBE: never fragments, and believes no router about the path. */
export const pmtudiscProbe = 3;

export const flag = { controlTruncated: 0x8, truncated: 0x20, dontWait: 0x40, noSignal: 0x4000 };

export const errno = { intr: 4, io: 5, again: 11, badf: 9, inval: 22, msgsize: 90, connrefused: 111 };

/** Where structure number `index` of an array begins. */
export function wordOf(structure: { bytes: number }, index: number): number {
  return (structure.bytes / wordBytes) * index;
}
