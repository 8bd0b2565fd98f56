/** Readers that stop, or are slow. */
import { expect } from "vitest";

import { everywhere, inNode, pause, timed } from "../row.ts";
import type { Row, Stage } from "../row.ts";
import type { Scene } from "../scene.ts";

/** What the others must keep of their speed. */
const leastShare = 0.9;

/** What of a stream that nobody reads is taken from its writer: windows and buffers of three hops. */
const mostUnreadBytes = 6_000_000;

/** What the others pass each way while that stream stands still: about 20 MB, far more than windows and buffers hold. */
const goingOnMessages = 2000;

function readerRow(fault: string, hurt: (scene: Scene) => Promise<void>, briefKinds = everywhere): Row {
  return {
    fault,
    outcome: "only its stream waits; the others keep at least 90 % of their speed",
    kinds: everywhere,
    briefKinds,
    async run(stage) {
      const scene = await stage.open();
      await scene.link();
      const rounds = stage.pick(1, 10);
      // Beside other tests a speed says nothing: `npm test` sees that they go on, `npm run faults` how fast.
      const speed = stage.pick(
        async () => 1,
        () => measuredSpeed(scene, 1000),
      );
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(200);
      // In turn, so that a machine that changes its speed favours nobody.
      const shares: number[] = [];
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const before = await speed();
        await Promise.all([scene.alice.call("send", "slow", { maxBytes: 20_000 }), scene.bob.call("receive")]);
        await hurt(scene);
        await filled(scene, stage);
        const [goingOnMs] = await timed(() => scene.flowed(goingOnMessages));
        times.push(goingOnMs);
        const during = await speed();
        const sent = await scene.alice.call("sentSoFar", "slow");
        const received = await scene.bob.call("receivedSoFar", "slow");
        expect(sent.bytes - received.bytes).toBeLessThan(mostUnreadBytes);
        await scene.bob.call("goOnReading", "slow");
        expect((await scene.alice.call("stopSending", "slow")).end).toMatchObject({ how: "well" });
        const after = await speed();
        shares.push(during / ((before + after) / 2));
      }
      await scene.finishFlows();
      const share = median(shares);
      expect(share).toBeGreaterThan(leastShare);
      return { ms: median(times), figures: { share } };
    },
  };
}

export const readerRows: readonly Row[] = [
  readerRow("a reader that stops", (scene) => scene.bob.call("pauseReading", "slow")),
  readerRow("a slow reader (a message in 50 ms)", (scene) => scene.bob.call("readSlowly", "slow", 50), inNode),
];

/** Bytes of the two other streams, one each way, in a millisecond. */
async function measuredSpeed(scene: Scene, ms: number): Promise<number> {
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
