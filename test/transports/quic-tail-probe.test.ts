import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TailProbe } from "../../src/transports/quic/tail-probe.ts";

test("who does not answer is asked after 250 ms, twice and four times as long, and then left to the engine", () => {
  const probe = new TailProbe();
  expect(probe.dueMs).toBe(Infinity);
  probe.sent(1000);
  expect(probe.dueMs).toBe(1250);
  expect(probe.isToAsk(40, 1250)).toBe(true);
  expect(probe.dueMs).toBe(1750);
  expect(probe.isToAsk(40, 1750)).toBe(true);
  expect(probe.dueMs).toBe(2750);
  expect(probe.isToAsk(40, 2750)).toBe(true);
  expect(probe.dueMs).toBe(Infinity);
  probe.sent(3000);
  expect(probe.dueMs).toBe(Infinity);
  probe.heard(3100);
  expect(probe.dueMs).toBe(3350);
});

test("who answers, or owes nothing, is not asked", () => {
  const probe = new TailProbe();
  probe.sent(1000);
  probe.heard(1200);
  expect(probe.dueMs).toBe(1450);
  expect(probe.isToAsk(undefined, 1450)).toBe(false);
  expect(probe.dueMs).toBe(Infinity);
  probe.heard(1500);
  expect(probe.dueMs).toBe(Infinity);
  probe.sent(1600);
  expect(probe.dueMs).toBe(1850);
});

test("on a long path there is more patience, but not without end", () => {
  const probe = new TailProbe();
  probe.sent(1000);
  expect(probe.isToAsk(300, 1250)).toBe(false);
  expect(probe.dueMs).toBe(1600);
  expect(probe.isToAsk(5000, 1600)).toBe(false);
  expect(probe.dueMs).toBe(2000);
  expect(probe.isToAsk(5000, 2000)).toBe(true);
});

test("nobody is asked more than three times in silence, nor sooner than after 250 ms", () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 700 }),
    what: fc.constantFrom("sent", "sent", "heard", "nothing"),
    rttMs: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const probe = new TailProbe();
      let [nowMs, lastMs, asked] = [0, -Infinity, 0];
      for (const { waitMs, what, rttMs } of steps) {
        nowMs += waitMs;
        if (what === "sent") probe.sent(nowMs);
        if (what === "heard") {
          probe.heard(nowMs);
          [lastMs, asked] = [nowMs, 0];
        }
        if (nowMs < probe.dueMs) continue;
        if (rttMs === undefined) asked = 0;
        if (!probe.isToAsk(rttMs, nowMs)) continue;
        expect(nowMs - lastMs).toBeGreaterThanOrEqual(250);
        [lastMs, asked] = [nowMs, asked + 1];
        expect(asked).toBeLessThanOrEqual(3);
      }
    }),
  );
});
