import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ReconnectDelay } from "../../src/core/reconnect-delay.ts";

test("the longest pause doubles from a quarter of a second to half a minute", () => {
  const delay = new ReconnectDelay();
  const longest = Array.from({ length: 10 }, () => delay.nextMs(1));
  expect(longest).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("any time up to that, so that a thousand Clients come back spread out", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      const delay = new ReconnectDelay({ firstDelayMs: 100, maxDelayMs: 400 });
      expect([1, 2, 3, 4].map(() => delay.nextMs(random))).toEqual([100, 200, 400, 400].map((most) => most * random));
    }),
  );
});

test("never an endless number", () => {
  const delay = new ReconnectDelay();
  for (let i = 0; i < 5000; i += 1) expect(delay.nextMs(1)).toBeLessThanOrEqual(30_000);
});
