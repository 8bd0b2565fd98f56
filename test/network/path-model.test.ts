import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { PathModel } from "../support/network/path-model.js";
import type { Conditions, Delivery } from "../support/network/path-model.js";
import { asDelivered } from "../support/network/udp-path.js";

/** What becomes of so many datagrams, one each millisecond. */
function run(conditions: Conditions, count: number, { bytes = 1200, seed = 7 } = {}): Delivery[][] {
  const model = new PathModel(conditions, seed);
  return Array.from({ length: count }, (_, nowMs) => model.decide(nowMs, bytes));
}

/** How much later than it came each delivery of a datagram is. */
function delaysMs(deliveries: Delivery[][]): number[] {
  return deliveries.flatMap((each, nowMs) => each.map(({ atMs }) => atMs - nowMs));
}

const count = 20_000;

describe("a path", () => {
  test("without conditions gives everything out at once, as it came", () => {
    for (const [nowMs, deliveries] of run({}, 100).entries()) {
      expect(deliveries).toEqual([{ atMs: nowMs, flippedBit: undefined }]);
    }
  });

  test("that takes its time", () => {
    expect(new Set(delaysMs(run({ delayMs: 20 }, 100)))).toEqual(new Set([20]));
  });

  test.each([0.01, 0.05, 0.2, 1])("loses a share of %f, at random", (loss) => {
    const lost = run({ loss }, count).filter((deliveries) => deliveries.length === 0).length;
    expect(Math.abs(lost / count - loss)).toBeLessThan(0.01);
  });

  test("loses each by itself: one that is lost says nothing of the next", () => {
    const lost = run({ loss: 0.2 }, count).map((deliveries) => deliveries.length === 0);
    const pairs = lost.filter((isLost, index) => isLost && lost[index + 1] === true).length;
    expect(Math.abs(pairs / count - 0.04)).toBeLessThan(0.01);
  });

  test("duplicates, corrupts and overtakes a share", () => {
    const deliveries = run({ duplicate: 0.05, corrupt: 0.01, reorder: 0.2, reorderMs: 3 }, count);
    const share = (is: (deliveries: Delivery[]) => boolean): number => deliveries.filter(is).length / count;
    expect(share(({ length }) => length === 2)).toBeCloseTo(0.05, 2);
    expect(share(([first]) => first!.flippedBit !== undefined)).toBeCloseTo(0.01, 2);
    expect(delaysMs(deliveries.map((each) => each.slice(0, 1))).filter((ms) => ms === 3).length / count).toBeCloseTo(
      0.2,
      2,
    );
  });

  test("changes one bit of what it corrupts, anywhere", () => {
    const places = new Set<number>();
    for (const [delivery] of run({ corrupt: 1 }, 2000, { bytes: 10 })) {
      const sent = Buffer.alloc(10, 0xa5);
      const arrived = asDelivered(sent, delivery!);
      expect(sent).toEqual(Buffer.alloc(10, 0xa5));
      const changed = [...arrived].map((byte, index) => byte ^ sent[index]!);
      expect(changed.reduce((bits, byte) => bits + byte.toString(2).replaceAll("0", "").length, 0)).toBe(1);
      places.add(delivery!.flippedBit!);
    }
    expect(places.size).toBe(80);
  });

  test("takes up to jitterMs longer, now more and now less, and keeps the order", () => {
    const deliveries = run({ delayMs: 10, jitterMs: 30 }, count);
    const taken = delaysMs(deliveries);
    expect(Math.min(...taken)).toBeGreaterThanOrEqual(10);
    expect(Math.min(...taken)).toBeLessThan(13);
    expect(Math.max(...taken)).toBeGreaterThan(37);
    expect(Math.max(...taken)).toBeLessThanOrEqual(40);
    const times = deliveries.map(([only]) => only!.atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test("swallows what is larger than maxDatagramBytes", () => {
    const model = new PathModel({ maxDatagramBytes: 1200 });
    expect(model.decide(0, 1201)).toEqual([]);
    expect(model.decide(0, 1200)).toHaveLength(1);
    expect(model.counts).toMatchObject({ offered: 2, delivered: 1, lost: { tooLarge: 1 } });
  });

  test("swallows everything in a blackout, and only then", () => {
    const model = new PathModel();
    model.set({ blackout: true });
    expect(model.decide(0, 1)).toEqual([]);
    model.set({ blackout: false });
    expect(model.decide(1, 1)).toHaveLength(1);
  });

  test("carries what its rate allows; the rest waits, and what there is no room for is lost", () => {
    const model = new PathModel({ bytesPerSecond: 100_000, queueBytes: 3000, delayMs: 5 });
    const arrivals = Array.from({ length: 5 }, () => model.decide(0, 1000)[0]?.atMs);
    expect(arrivals).toEqual([15, 25, 35, undefined, undefined]);
    expect(model.decide(10, 1000)[0]?.atMs).toBe(45);
    expect(model.counts.lost.queueFull).toBe(2);
    expect(model.decide(1000, 1000)[0]?.atMs).toBe(1015);
  });

  test.each<Conditions>([
    { loss: 1.1 },
    { corrupt: -0.1 },
    { duplicate: Number.NaN },
    { delayMs: -1 },
    { bytesPerSecond: 0 },
  ])("that cannot be is refused: %o", (conditions) => {
    expect(() => new PathModel(conditions)).toThrow(RangeError);
    expect(() => new PathModel().set(conditions)).toThrow(RangeError);
  });
});

describe("whatever the conditions", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const ms = fc.nat({ max: 50 });
  const anyConditions: fc.Arbitrary<Conditions> = fc.record(
    {
      delayMs: ms,
      jitterMs: ms,
      loss: share,
      reorder: share,
      reorderMs: ms,
      duplicate: share,
      corrupt: share,
      bytesPerSecond: fc.integer({ min: 1, max: 1_000_000 }),
      queueBytes: fc.nat({ max: 20_000 }),
      maxDatagramBytes: fc.nat({ max: 2000 }),
      blackout: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const anyTraffic = fc.array(fc.record({ waitMs: fc.nat({ max: 20 }), bytes: fc.nat({ max: 1500 }) }));
  const seed = fc.integer();

  function play(model: PathModel, traffic: { waitMs: number; bytes: number }[]): Delivery[][] {
    let nowMs = 1000;
    return traffic.map(({ waitMs, bytes }) => model.decide((nowMs += waitMs), bytes));
  }

  test("the same seed decides the same, another one does not", () => {
    fc.assert(
      fc.property(anyConditions, seed, anyTraffic, (conditions, seed, traffic) => {
        const one = play(new PathModel(conditions, seed), traffic);
        expect(play(new PathModel(conditions, seed), traffic)).toEqual(one);
      }),
    );
    const losses = (seed: number): boolean[] => run({ loss: 0.5 }, 64, { seed }).map(({ length }) => length === 0);
    expect(new Set(Array.from({ length: 100 }, (_, seed) => losses(seed).join())).size).toBe(100);
  });

  test("nothing arrives before it was sent and has taken its time, or after all that can delay it", () => {
    fc.assert(
      fc.property(anyConditions, seed, anyTraffic, (conditions, seed, traffic) => {
        const model = new PathModel(conditions, seed);
        const { delayMs = 0, jitterMs = 0, reorderMs = 5, bytesPerSecond, queueBytes = 65_536 } = conditions;
        const waitMs = bytesPerSecond === undefined ? 0 : ((queueBytes + 1500) / bytesPerSecond) * 1000;
        let nowMs = 0;
        for (const each of traffic) {
          nowMs += each.waitMs;
          for (const { atMs } of model.decide(nowMs, each.bytes)) {
            expect(atMs).toBeGreaterThanOrEqual(nowMs + delayMs);
            expect(atMs).toBeLessThanOrEqual(nowMs + delayMs + jitterMs + reorderMs + waitMs + 1e-6);
          }
        }
      }),
    );
  });

  test("what is offered is delivered or lost, and counted", () => {
    fc.assert(
      fc.property(anyConditions, seed, anyTraffic, (conditions, seed, traffic) => {
        const model = new PathModel(conditions, seed);
        const deliveries = play(model, traffic);
        const { offered, delivered, lost } = model.counts;
        expect(offered).toBe(traffic.length);
        expect(delivered).toBe(deliveries.flat().length);
        const lostInAll = Object.values(lost).reduce((sum, each) => sum + each, 0);
        expect(lostInAll).toBe(deliveries.filter(({ length }) => length === 0).length);
      }),
    );
  });

  test("a datagram's fate is its own: what else changes leaves its loss alone", () => {
    fc.assert(
      fc.property(share, seed, ms, share, (loss, seed, jitterMs, corrupt) => {
        const lost = (conditions: Conditions): boolean[] =>
          run({ loss, ...conditions }, 100, { seed }).map(({ length }) => length === 0);
        expect(lost({ jitterMs, corrupt, duplicate: corrupt, reorder: corrupt })).toEqual(lost({}));
      }),
    );
  });

  test("over any stretch of time no more leaves than the rate allows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), anyTraffic, (bytesPerSecond, traffic) => {
        const model = new PathModel({ bytesPerSecond });
        const arrivals = play(model, traffic).map(([only]) => only?.atMs);
        const sent = traffic
          .map(({ bytes }, index) => ({ bytes, atMs: arrivals[index] }))
          .filter((each): each is { bytes: number; atMs: number } => each.atMs !== undefined);
        sent.slice(1).forEach((each, index) => {
          const sinceMs = each.atMs - sent[index]!.atMs;
          expect(each.bytes).toBeLessThanOrEqual((sinceMs / 1000) * bytesPerSecond + 1e-6);
        });
      }),
    );
  });
});
