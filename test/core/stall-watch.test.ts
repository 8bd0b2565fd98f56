import { expect, test } from "vitest";
import { StallWatch } from "../../src/core/stall-watch.ts";

test("called for what waits without moving, and again after as long", () => {
  const watch = new StallWatch(100_000);
  const [still, moving, idle] = [
    { moved: 0, isWaiting: true },
    { moved: 0, isWaiting: true },
    { moved: 0, isWaiting: false },
  ];
  const calls: [string, number][] = [];
  for (const [name, each] of Object.entries({ still, moving, idle })) {
    watch.watch(each, (stalledMs) => calls.push([name, Math.round(stalledMs / 1000)]));
  }
  const startMs = performance.now();
  for (let seconds = 0; seconds <= 250; seconds += 10) {
    moving.moved += 1;
    watch.sweep(startMs + seconds * 1000 + 1);
  }
  expect(calls.map(([name]) => name)).toEqual(["still", "still"]);
  expect(calls.map(([, seconds]) => Math.floor(seconds / 100))).toEqual([1, 2]);
  for (const each of [still, moving, idle]) watch.forget(each);
});

test("what moves once begins anew", () => {
  const watch = new StallWatch(1000);
  const each = { moved: 0, isWaiting: true };
  let calls = 0;
  watch.watch(each, () => (calls += 1));
  const startMs = performance.now();
  watch.sweep(startMs + 900);
  each.moved = 1;
  watch.sweep(startMs + 950);
  watch.sweep(startMs + 1900);
  expect(calls).toBe(0);
  watch.sweep(startMs + 1951);
  expect(calls).toBe(1);
  watch.forget(each);
});
