import { expect, test } from "vitest";
import { RestartDelay } from "../../src/supervisor/restart-delay.ts";

test("at once, then longer and longer up to 30 s, until a process has lived for 10 s", () => {
  const delay = new RestartDelay();
  expect(delay.next(100, 1)).toBe(0);
  const pauses = Array.from({ length: 9 }, () => delay.next(100, 1));
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect(delay.next(100, 0.5)).toBe(15_000);
  expect(delay.next(10_000, 1)).toBe(0);
  expect(delay.next(100, 1)).toBe(0);
});

test("processes that live for long are always restarted at once", () => {
  const delay = new RestartDelay();
  for (let time = 0; time < 5; time++) expect(delay.next(60_000, 1)).toBe(0);
});
