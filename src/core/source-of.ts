// SPDX-License-Identifier: Apache-2.0
/**
 * Whom an address stands for when connections are counted: an IPv4 /24 or an IPv6 /64, which is what one party gets without
 * effort. What is no IP address stands for itself.
 */
export function sourceOf(host: string): string {
  const ipv4 = /^(?:::ffff:)?(\d+\.\d+\.\d+)\.\d+$/i.exec(host);
  if (ipv4 !== null) return `${ipv4[1]}.0/24`;
  const groups = host.includes(":") ? firstGroups(host) : undefined;
  return groups === undefined ? host : `${groups.map((group) => group.toString(16)).join(":")}::/64`;
}

/** The first four groups of an IPv6 address in any of its forms; undefined if it is none. */
function firstGroups(host: string): number[] | undefined {
  const halves = host.replace(/%.*$/, "").split("::");
  const [left = [], right = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const length = (groups: string[]): number => groups.length + (groups.at(-1)?.includes(".") ? 1 : 0);
  const missing = 8 - length(left) - length(right);
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const zeros = Array.from({ length: missing }, () => "0");
  const groups = [...left, ...zeros, ...right].slice(0, 4);
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
