import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ChannelChurn } from "../../src/core/channel-churn.ts";
import type { EndedChannel } from "../../src/core/channel-churn.ts";

const inVain: EndedChannel = { closedByIt: true, used: false, livedMs: 3 };

test("over half of the last channels in vain, within a minute", () => {
  const churn = new ChannelChurn(500);
  const verdicts = Array.from({ length: 501 }, (_, i) => churn.ended({ ...inVain, used: i >= 251 }, i * 100));
  expect(verdicts.indexOf(true)).toBe(499);
  expect(verdicts.at(-1)).toBe(false); // the first of them is no longer among the last
});

test.each<[string, Partial<EndedChannel>]>([
  ["that the other end closed", { closedByIt: false }],
  ["that were used", { used: true }],
  ["that lived a second", { livedMs: 1000 }],
])("never too many: channels %s", (_, what) => {
  const churn = new ChannelChurn(500);
  for (let i = 0; i < 5000; i += 1) expect(churn.ended({ ...inVain, ...what }, i)).toBe(false);
});

test("never too many: channels in vain, but seldom", () => {
  const churn = new ChannelChurn(500);
  for (let i = 0; i < 5000; i += 1) expect(churn.ended(inVain, i * 121)).toBe(false);
});

test("against a model that remembers every channel", () => {
  const channel = fc.record({
    closedByIt: fc.boolean(),
    used: fc.boolean(),
    livedMs: fc.constantFrom(0, 999, 1000, 5000),
    waitMs: fc.nat({ max: 15_000 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(channel, { maxLength: 60 }), (most, channels) => {
      const churn = new ChannelChurn(most);
      const all: { bad: boolean; atMs: number }[] = [];
      let nowMs = 0;
      for (const { waitMs, ...ended } of channels) {
        nowMs += waitMs;
        all.push({ bad: ended.closedByIt && !ended.used && ended.livedMs < 1000, atMs: nowMs });
        const last = all.slice(-most);
        const expected =
          last.length === most && last.filter(({ bad }) => bad).length > most / 2 && nowMs - last[0]!.atMs < 60_000;
        expect(churn.ended(ended, nowMs)).toBe(expected);
      }
    }),
  );
});
