import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "../../src/core/token-bucket.ts";

test("so many at once, then so many a second", () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3, nowMs: 0 });
  const at = (nowMs: number) => bucket.take(nowMs);
  expect([at(0), at(0), at(0), at(0)]).toEqual([true, true, true, false]);
  expect([at(99), at(100), at(101)]).toEqual([false, true, false]);
  expect([at(10_000), at(10_000), at(10_000), at(10_000)]).toEqual([true, true, true, false]);
});

test("in any stretch of time, no more than burst + rate × time, and whoever keeps to the rate is never refused", () => {
  const steps = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), steps, (perSecond, burst, waits) => {
      const bucket = new TokenBucket({ perSecond, burst, nowMs: 0 });
      const takenAt: number[] = [];
      let nowMs = 0;
      for (const wait of waits) {
        nowMs += wait;
        if (bucket.take(nowMs)) takenAt.push(nowMs);
      }
      takenAt.forEach((from, first) => {
        takenAt.slice(first).forEach((until, more) => {
          expect(more + 1).toBeLessThanOrEqual(burst + ((until - from) / 1000) * perSecond + 1e-6);
        });
      });
      const steady = new TokenBucket({ perSecond, burst, nowMs: 0 });
      const step = 1000 / perSecond;
      for (let i = 1; i < 100; i += 1) expect(steady.take(i * (step + 0.001))).toBe(true);
    }),
  );
});
