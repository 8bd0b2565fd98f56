import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { isSpeedMeasured, leastShare, measuredMs, reportSpeed } from "../speed-report.ts";
import type { Attack, Counts } from "./attack.ts";
import { HonestProcess } from "./honest-process.ts";
import { LateClientProcess } from "./late-client-process.ts";
import type { Figures, VictimOptions } from "./victim.ts";
import { VictimProcess } from "./victim-process.ts";

/** V8 gives memory back in steps: six runs of the same attack, one after the other, left 122 to 142 MB. */
const maxGrownBytes = 32 * 1024 * 1024;

/** Makes each attack on a Coordinator in a process of its own, while honest Clients use it. */
export function underAttack(name: string, attacks: readonly Attack[], options?: VictimOptions): void {
  describe(name, () => {
    let victim: VictimProcess;
    let late: LateClientProcess;
    let honest: HonestProcess;
    let usualResidentBytes = 0;

    beforeAll(async () => {
      victim = await VictimProcess.start(options);
      [late, honest] = [await LateClientProcess.start(), await HonestProcess.start()];
      for (const each of attacks.filter(({ isHeavy }) => isHeavy)) {
        await attack(each);
        const { residentBytes } = await settled(Infinity);
        usualResidentBytes = Math.max(usualResidentBytes, residentBytes);
      }
    }, 60_000);

    afterAll(async () => {
      await victim.end();
      await late.end();
      await honest.end();
    });

    for (const each of attacks) {
      test(each.name, { timeout: 60_000 }, async () => {
        await attack(each, isSpeedMeasured);
        await settled(usualResidentBytes + maxGrownBytes);
      });
    }

    async function attack(attack: Attack, isMeasured = false): Promise<void> {
      const before = await victim.figures();
      await honest.join(victim);
      try {
        await honest.after(20);
        if (isMeasured) await measure(attack);
        else await attack.run({ victim, honest, late });
        await honest.after(20);
        await honest.finish();
      } finally {
        await honest.giveUp();
      }
      await vi.waitFor(async () => expectCounts(await victim.figures(), before, attack.counts ?? {}), 5000);
    }

    /** Attacks again and again, and writes down what the honest keep of their speed. */
    async function measure({ name: what, run }: Attack): Promise<void> {
      const usually = (): Promise<number> => honest.rate(setTimeout(measuredMs));
      const before = await usually();
      const during = await honest.rate(
        (async () => {
          const untilMs = performance.now() + measuredMs;
          do await run({ victim, honest, late });
          while (performance.now() < untilMs);
        })(),
      );
      const share = during / ((before + (await usually())) / 2);
      reportSpeed({ where: name, what, share });
      expect(share).toBeGreaterThan(leastShare);
    }

    /** When everybody is gone, and what was kept for them as well. Fails when that takes longer than 10 s. */
    async function settled(mostResidentBytes: number): Promise<Figures> {
      let figures!: Figures;
      const isSettled = async () => {
        figures = await victim.figures({ collected: true });
        const { listener, coordinator } = figures;
        expect({ ...listener, ...coordinator }).toMatchObject({ connections: 0, halfOpen: 0, clients: 0, pending: 0 });
        expect(figures.residentBytes).toBeLessThan(mostResidentBytes);
      };
      await vi.waitFor(isSettled, { timeout: 10_000, interval: 50 });
      return figures;
    }
  });
}

function expectCounts(after: Figures, before: Figures, counts: Counts): void {
  for (const [name, least] of Object.entries(counts)) {
    const grown = countOf(after, name) - countOf(before, name);
    if (least === 0) expect(grown, name).toBe(0);
    else expect(grown, name).toBeGreaterThanOrEqual(least);
  }
}

function countOf({ listener }: Figures, name: string): number {
  const { violations, ...others } = listener;
  return ({ ...others, ...violations } as Record<string, number>)[name]!;
}
