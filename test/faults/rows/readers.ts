/** Readers that stop, or are slow. */
import { expect } from "vitest";

import { everywhere, inNode, pause } from "../row.ts";
import type { Row, Stage } from "../row.ts";
import type { Scene } from "../scene.ts";

/** What the others must keep of their speed. In short, a second of each on a busy machine shows only that they do not stall. */
const leastShare = { short: 0.4, full: 0.9 };

/** What of a stream that nobody reads is taken from its writer: windows and buffers of three hops. */
const mostUnreadBytes = 6_000_000;

function readerRow(fault: string, hurt: (scene: Scene) => Promise<void>, briefKinds = everywhere): Row {
  return {
    fault,
    outcome: "only its stream waits; the others keep at least 90 % of their speed",
    kinds: everywhere,
    briefKinds,
    async run(stage) {
      const scene = await stage.open();
      await scene.link();
      const [rounds, roundMs] = stage.pick([1, 400], [10, 1000]);
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(200);
      // In turn, so that a machine that changes its speed favours nobody.
      const shares: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const before = await speed(scene, roundMs);
        await Promise.all([scene.alice.call("send", "slow", { maxBytes: 20_000 }), scene.bob.call("receive")]);
        await hurt(scene);
        await filled(scene, stage);
        const during = await speed(scene, roundMs);
        const sent = await scene.alice.call("sentSoFar", "slow");
        const received = await scene.bob.call("receivedSoFar", "slow");
        expect(sent.bytes - received.bytes).toBeLessThan(mostUnreadBytes);
        await scene.bob.call("goOnReading", "slow");
        expect((await scene.alice.call("stopSending", "slow")).end).toMatchObject({ how: "well" });
        const after = await speed(scene, roundMs);
        shares.push(during / ((before + after) / 2));
      }
      const share = median(shares);
      await scene.finishFlows();
      expect(share).toBeGreaterThan(stage.pick(leastShare.short, leastShare.full));
      return { ms: roundMs, figures: { share } };
    },
  };
}

export const readerRows: readonly Row[] = [
  readerRow("a reader that stops", (scene) => scene.bob.call("pauseReading", "slow")),
  readerRow("a slow reader (a message in 50 ms)", (scene) => scene.bob.call("readSlowly", "slow", 50), inNode),
];

/** Bytes of the two other streams, one each way, in a millisecond. */
async function speed(scene: Scene, ms: number): Promise<number> {
  const bytes = async (): Promise<number> => {
    const flows = await Promise.all([
      scene.bob.call("receivedSoFar", "to bob"),
      scene.alice.call("receivedSoFar", "to alice"),
    ]);
    return flows.reduce((sum, flow) => sum + flow.bytes, 0);
  };
  const startMs = performance.now();
  const before = await bytes();
  await pause(ms);
  const after = await bytes();
  return (after - before) / (performance.now() - startMs);
}

/** Waits until nothing more goes into the stream. */
async function filled(scene: Scene, stage: Stage): Promise<void> {
  const state = (): Promise<{ bytes: number }> => scene.alice.call("sentSoFar", "slow");
  for (let [before, now] = [-Infinity, await state()] as [number, { bytes: number }]; now.bytes > before + 100_000;) {
    before = now.bytes;
    await pause(stage.pick(100, 200));
    now = await state();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
