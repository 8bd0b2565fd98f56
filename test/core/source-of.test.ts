import * as fc from "fast-check";
import { BlockList, isIPv6 } from "node:net";
import { expect, test } from "vitest";
import { sourceOf } from "../../src/core/source-of.ts";

test.each([
  ["192.0.2.7", "192.0.2.0/24"],
  ["::ffff:192.0.2.7", "192.0.2.0/24"],
  ["::FFFF:192.0.2.250", "192.0.2.0/24"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["localhost", "localhost"],
  ["", ""],
  ["host.example", "host.example"],
  ["a:b", "a:b"],
  ["1::2::3", "1::2::3"],
  ["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:9"],
  ["12345::", "12345::"],
  ["::g:1:2:3:4", "::g:1:2:3:4"],
])("%s counts as %s", (host, source) => {
  expect(sourceOf(host)).toBe(source);
});

test("two IPv4 addresses are one source if they share a /24, as BlockList has it", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.nat({ max: 255 }), (one, other, last) => {
      const near = one.replace(/\d+$/, String(last));
      for (const candidate of [other, near])
        expect(sourceOf(one) === sourceOf(candidate)).toBe(shares(one, candidate, 24, "ipv4"));
    }),
  );
});

test("two IPv6 addresses are one source if they share a /64, in whatever form they are written", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, groups, fc.integer({ min: 0, max: 8 }), fc.ipV6(), (one, other, same, third) => {
      const first = one.map((each) => each.toString(16)).join(":");
      const second = [...one.slice(0, same), ...other.slice(same)]
        .map((each) => each.toString(16).padStart(4, "0"))
        .join(":");
      for (const candidate of [second, third].filter((text) => isIPv6(text) && !text.startsWith("::ffff:"))) {
        expect(sourceOf(first) === sourceOf(candidate)).toBe(shares(first, candidate, 64, "ipv6"));
      }
    }),
  );
});

test("any text is a source", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof sourceOf(text) === "string"));
});

function shares(one: string, other: string, prefix: number, family: "ipv4" | "ipv6"): boolean {
  const list = new BlockList();
  list.addSubnet(one, prefix, family);
  return list.check(other, family);
}
