import { describe, expect, test } from "vitest";

import { pathProfile } from "../../src/transports/quic/datagram-sizes.ts";
import { PathMtu } from "../../src/transports/quic/path-mtu.ts";
import { decodePathProbe, encodePathProbe } from "../../src/transports/quic/path-probe.ts";

const sizes = [1350, 1452, 9000];

function pathMtu(candidates: readonly number[] = sizes): PathMtu {
  let count = 0;
  return new PathMtu({ candidates, createNonce: () => `${(count += 1)}` });
}

function begin(mtu: PathMtu): void {
  for (let count = 0; count < 8; count += 1) mtu.onFullDatagram(0);
}

/** Runs until `untilMs` on a path that carries datagrams of up to `carried` bytes; returns the sizes probed. */
function run(mtu: PathMtu, fromMs: number, untilMs: number, carried: number): number[] {
  const probed: number[] = [];
  for (;;) {
    const nowMs = Math.max(fromMs, mtu.deadlineMs ?? Infinity);
    if (nowMs > untilMs) return probed;
    for (const { bytes, nonce } of mtu.poll(nowMs, 10)) {
      probed.push(bytes);
      if (bytes <= carried) mtu.onEcho(nonce, nowMs + 10);
    }
  }
}

describe("path MTU", () => {
  test("starts at 1200 and asks for nothing before much is sent", () => {
    const mtu = pathMtu();
    for (let count = 0; count < 7; count += 1) mtu.onFullDatagram(0);
    expect(mtu.datagramBytes).toBe(1200);
    expect(mtu.deadlineMs).toBeUndefined();
    expect(mtu.poll(1000, 10)).toEqual([]);
  });

  test("takes the largest size that arrives, in one round trip", () => {
    const mtu = pathMtu();
    begin(mtu);
    expect(run(mtu, 0, 50, 9000)).toEqual([9000]);
    expect(mtu.datagramBytes).toBe(9000);
    expect(mtu.deadlineMs).toBeUndefined();
  });

  test("asks three times for what does not arrive, and again later, ever more rarely", () => {
    const mtu = pathMtu();
    begin(mtu);
    expect(run(mtu, 0, 1000, 1452)).toEqual([9000, 1350, 1452, 9000, 9000]);
    expect(mtu.datagramBytes).toBe(1452);
    const again: number[] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      if (run(mtu, 1000, 1000 + minute * 60_000, 1452).length > 0) again.push(minute);
    }
    expect(again).toEqual([1, 2, 4, 8, 16, 26, 36, 46, 56]);
  });

  test("ignores an echo that nobody asked for, and one that comes twice", () => {
    const mtu = pathMtu();
    begin(mtu);
    mtu.onEcho("1", 0);
    expect(mtu.datagramBytes).toBe(1200);
    expect(mtu.poll(0, 10)).toEqual([{ bytes: 9000, nonce: "1" }]);
    expect(mtu.poll(100, 10)).toHaveLength(3);
    mtu.onEcho("99", 105);
    expect(mtu.datagramBytes).toBe(1200);
    mtu.onEcho("2", 105);
    mtu.onEcho("2", 106);
    expect(mtu.datagramBytes).toBe(1350);
    mtu.onEcho("1", 107);
    expect(mtu.datagramBytes).toBe(9000);
  });

  test("falls back to 1200 when the size in use is swallowed, and recovers later", () => {
    const mtu = pathMtu();
    begin(mtu);
    run(mtu, 0, 50, 9000);
    mtu.onLossTimeout(1000);
    expect(run(mtu, 1000, 1250, 1200)).toEqual([9000, 9000, 9000]);
    expect(mtu.datagramBytes).toBe(9000);
    run(mtu, 1250, 1400, 1200);
    expect(mtu.datagramBytes).toBe(1200);
    run(mtu, 1400, 60_000, 1452);
    expect(mtu.datagramBytes).toBe(1452);
  });

  test("keeps its size when packets are lost for other reasons", () => {
    const mtu = pathMtu();
    begin(mtu);
    run(mtu, 0, 50, 9000);
    for (let nowMs = 1000; nowMs < 2000; nowMs += 100) {
      mtu.onLossTimeout(nowMs);
      expect(run(mtu, nowMs, nowMs + 50, 9000)).toEqual([9000]);
    }
    expect(mtu.datagramBytes).toBe(9000);
  });

  test("verifies once at a time", () => {
    const mtu = pathMtu();
    begin(mtu);
    run(mtu, 0, 50, 9000);
    mtu.onLossTimeout(1000);
    expect(mtu.poll(1000, 10)).toHaveLength(1);
    mtu.onLossTimeout(1001);
    expect(mtu.poll(1001, 10)).toHaveLength(0);
  });

  test("has nothing to find out when 1200 is all that is wanted", () => {
    const mtu = pathMtu([1200]);
    begin(mtu);
    mtu.onLossTimeout(10);
    expect(mtu.deadlineMs).toBeUndefined();
  });

  test("waits longer on a long path", () => {
    const mtu = pathMtu();
    begin(mtu);
    mtu.poll(0, 500);
    expect(mtu.deadlineMs).toBe(1500);
  });
});

describe("path probes", () => {
  const id = Uint8Array.from({ length: 16 }, (_, index) => index);

  test.each([new Uint8Array(0), id])("survive the way there and back", (connectionId) => {
    for (const kind of ["probe", "echo"] as const) {
      const packet = { kind, bytes: 1452, nonce: "\u00ff1234567" };
      const encoded = encodePathProbe(packet, connectionId);
      expect(encoded.length).toBe(kind === "probe" ? 1452 : 12 + connectionId.length);
      expect(encoded[0]).toBe(0);
      expect(encoded.subarray(1, 1 + connectionId.length)).toEqual(Buffer.from(connectionId));
      expect(decodePathProbe(encoded, connectionId.length)).toEqual(packet);
    }
  });

  test("that were cut or are something else are none", () => {
    const probe = encodePathProbe({ kind: "probe", bytes: 1452, nonce: "12345678" }, id);
    expect(decodePathProbe(probe.subarray(0, 1451), 16)).toBeUndefined();
    expect(decodePathProbe(probe.subarray(0, 20), 16)).toBeUndefined();
    expect(decodePathProbe(Buffer.of(), 16)).toBeUndefined();
    const other = Buffer.from(probe);
    other[17] = 3;
    expect(decodePathProbe(other, 16)).toBeUndefined();
    other[17] = 1;
    other[0] = 0x40;
    expect(decodePathProbe(other, 16)).toBeUndefined();
  });
});

describe("sizes to try", () => {
  const candidates = (host: string, largestDatagram?: number, maxDatagramBytes?: number) =>
    pathProfile(host, { maxDatagramBytes, idleTimeoutMs: 1000, largestDatagram }).datagramCandidates;

  test.each([
    { host: "127.0.0.1", route: 65_508, sizes: [1350, 1400, 1452, 4096, 8900, 16_376] },
    { host: "::ffff:127.0.0.1", route: 1472, sizes: [1350, 1400, 1452, 1472] },
    { host: "192.168.1.1", route: 1472, sizes: [1350, 1400, 1452, 1472] },
    { host: "10.1.2.3", route: 8972, sizes: [1350, 1400, 1452, 4096, 8900, 8972] },
    { host: "fd00::1", route: 8952, sizes: [1350, 1400, 1452, 4096, 8900, 8952] },
    { host: "fe80::1%eth0", route: 1372, sizes: [1350, 1372] },
    // What an interface here carries says little about a path through networks of others.
    { host: "203.0.113.1", route: 8972, sizes: [1350, 1400, 1452, 1472] },
    { host: "2001:db8::1", route: 8952, sizes: [1350, 1400, 1452] },
    { host: "203.0.113.1", route: 900, sizes: [1200] },
    // Where nobody can say, what is larger than Ethernet might travel in fragments.
    { host: "127.0.0.1", route: undefined, sizes: [1350, 1400, 1452, 4096, 8900, 16_376] },
    { host: "192.168.1.1", route: undefined, sizes: [1350, 1400, 1452] },
    { host: "203.0.113.1", route: undefined, sizes: [1350, 1400, 1452] },
  ])("$host, whose route takes $route: $sizes", ({ host, route, sizes }) => {
    expect(candidates(host, route)).toEqual(sizes);
  });

  test("no more than the option says, and no more than the route takes", () => {
    expect(candidates("203.0.113.1", 8972, 4000)).toEqual([1350, 1400, 1452, 4000]);
    expect(candidates("127.0.0.1", 1472, 60_000)).toEqual([1350, 1400, 1452, 1472]);
    expect(candidates("127.0.0.1", undefined, 1250)).toEqual([1250]);
  });
});
