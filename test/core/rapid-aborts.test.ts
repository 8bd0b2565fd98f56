import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RapidAborts } from "../../src/core/rapid-aborts.ts";

describe("RapidAborts", () => {
  test("more than so many streams in a second, over half of them aborted", () => {
    const aborts = new RapidAborts(500);
    for (let i = 0; i < 600; i += 1) aborts.opened(1, 2 * i, i / 10);
    const verdicts = Array.from({ length: 301 }, (_, i) => aborts.aborted(1, 2 * i));
    expect(verdicts.indexOf(true)).toBe(300);
  });

  test("any number that end in order, with a few aborted among them", () => {
    const aborts = new RapidAborts(500);
    for (let i = 0; i < 100_000; i += 1) {
      aborts.opened(1, 2 * i, i / 50);
      if (i % 3 === 2) expect(aborts.aborted(1, 2 * i)).toBe(false);
    }
  });

  test("all of the few that were opened", () => {
    const aborts = new RapidAborts(500);
    for (let i = 0; i < 5000; i += 1) {
      aborts.opened(1, 2 * i, i * 2);
      expect(aborts.aborted(1, 2 * i)).toBe(false);
    }
  });

  test("thousands that had been open for long, at once, while others are opened", () => {
    const aborts = new RapidAborts(500);
    for (let i = 0; i < 8000; i += 1) aborts.opened(i % 32, i, i * 3);
    for (let i = 0; i < 1000; i += 1) aborts.opened(i % 32, 8000 + i, 60_000 + i / 100);
    for (let i = 0; i < 7000; i += 1) expect(aborts.aborted(i % 32, i)).toBe(false);
  });

  test("in the second after they were opened, and on many channels", () => {
    const aborts = new RapidAborts(500);
    for (let i = 0; i < 1000; i += 1) aborts.opened(i % 32, i, 900 + i / 100);
    aborts.opened(0, 1000, 2500);
    const verdicts = Array.from({ length: 1000 }, (_, i) => aborts.aborted(i % 32, i));
    expect(verdicts.indexOf(true)).toBe(500);
  });
});

test("against a model that remembers every stream", () => {
  const step = fc.record({
    waitMs: fc.nat({ max: 400 }),
    channel: fc.nat({ max: 2 }),
    abort: fc.option(fc.nat({ max: 30 })),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }), (most, steps) => {
      const aborts = new RapidAborts(most);
      const streams: { channel: number; stream: number; second: number; aborted: boolean }[] = [];
      let [nowMs, startMs, second] = [0, -Infinity, 0];
      for (const { waitMs, channel, abort } of steps) {
        nowMs += waitMs;
        if (abort === null) {
          if (nowMs - startMs >= 1000) [startMs, second] = [nowMs, second + 1];
          const stream = streams.filter((each) => each.channel === channel).length;
          streams.push({ channel, stream, second, aborted: false });
          aborts.opened(channel, stream, nowMs);
        } else {
          const which = streams.at(-1 - abort);
          if (which === undefined || which.aborted) continue;
          which.aborted = true;
          const same = streams.filter((each) => each.second === which.second);
          const tooMany = same.length > most && same.filter(({ aborted }) => aborted).length > same.length / 2;
          expect(aborts.aborted(which.channel, which.stream)).toBe(tooMany && which.second > second - 2);
        }
      }
    }),
  );
});
