import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CoordinatorOptions } from "../../../src/index.ts";
import { memoryKind, quicKind } from "../../support/hub.ts";
import type { TransportKind } from "../../support/hub.ts";
import { isSpeedMeasured, leastShare, measuredMs, reportSpeed } from "../speed-report.ts";
import type { Eve, Outcome } from "./eve.ts";
import { http3Kind } from "./http3-kind.ts";
import { Scene } from "./scene.ts";

/** Something that nobody should say. Eve has joined before, unless the table is one of strangers. */
export type BadInput = [name: string, does: (eve: Eve, scene: Scene) => unknown, gets: Outcome];

export interface Table {
  /** Which line of the list it belongs to. */
  level: string;
  cases: BadInput[];
  /** Of the Coordinator. */
  options?: CoordinatorOptions;
  /** Eve has not joined. */
  strangers?: boolean;
  kinds?: TransportKind[];
}

const allKinds = [memoryKind, quicKind, http3Kind];

/**
 * Tries every case of a table over every transport, while honest Clients transfer: over all of them at once, since most of a
 * case is waiting.
 */
export function tryAll({ level, cases, options = {}, strangers = false, kinds = allKinds }: Table): void {
  describe(`${level}, over ${kinds.map(({ name }) => name).join(", ")}`, () => {
    let scenes: Scene[];
    beforeAll(async () => void (scenes = await Promise.all(kinds.map((kind) => Scene.start(kind, options)))));
    afterAll(() => Promise.all(scenes.map((scene) => scene.end())));
    if (isSpeedMeasured) {
      test(`all of it, ten a second: ${cases.length} cases`, { timeout: 600_000 }, async () => {
        const usually = (): Promise<number[]> => rates(scenes, setTimeout(measuredMs));
        const before = await usually();
        const tryOne = ([, does]: BadInput) => Promise.all(scenes.map((scene) => makeTrouble(scene, strangers, does)));
        const during = await rates(
          scenes,
          (async () => {
            for (const each of cases) await Promise.all([tryOne(each), setTimeout(100)]);
          })(),
        );
        const after = await usually();
        for (const [index, { name }] of kinds.entries()) {
          // In memory, both ends are one thread, which is what there is to share.
          if (name === memoryKind.name) continue;
          const share = during[index]! / ((before[index]! + after[index]!) / 2);
          reportSpeed({ where: name, what: `${level}: ${cases.length} cases`, share });
          expect(share).toBeGreaterThan(leastShare);
        }
      });
      return;
    }

    test.each(cases)("%s", async (_, does, gets) => {
      const tried = await Promise.allSettled(scenes.map((scene) => tryIn(scene, strangers, does, gets)));
      for (const [index, result] of tried.entries()) {
        if (result.status === "rejected") throw new Error(`Over ${kinds[index]!.name}`, { cause: result.reason });
      }
    });
  });
}

/** A case, whatever comes of it. */
async function makeTrouble(scene: Scene, strangers: boolean, does: BadInput[1]): Promise<void> {
  const eve = await scene.eve();
  try {
    if (!strangers) await eve.join();
    await does(eve, scene);
  } finally {
    await eve.leave();
  }
}

/** Honest messages that arrive in a millisecond in each scene, until `over`. */
async function rates(scenes: readonly Scene[], over: Promise<unknown>): Promise<number[]> {
  const startMs = performance.now();
  const before = scenes.map(({ received }) => received);
  await over;
  return scenes.map(({ received }, index) => (received - before[index]!) / (performance.now() - startMs));
}

async function tryIn(scene: Scene, strangers: boolean, does: BadInput[1], gets: Outcome): Promise<void> {
  const eve = await scene.eve();
  try {
    if (!strangers) await eve.join();
    await does(eve, scene);
    await eve.gets(gets);
    await scene.goesOn();
  } finally {
    await eve.leave();
  }
  await scene.isTidy();
}
