/** Many Clients that come back at once. */
import { expect } from "vitest";

import { PartyProcess } from "../party-process.ts";
import { inNode } from "../row.ts";
import type { Row } from "../row.ts";

const backWithinMs = 60_000;
const mostEventLoopMs = 200;

export const crowdRows: readonly Row[] = [
  {
    fault: "the Coordinator restarted: 1000 Clients connect again at once",
    outcome: "all back within 60 s, the 99th percentile of its event loop's delays under 200 ms",
    kinds: inNode,
    async run(stage) {
      const scene = await stage.open({ resume: true });
      const each = stage.pick(50, 500);
      const crowds = [await PartyProcess.client(), await PartyProcess.client()];
      for (const crowd of crowds) stage.closeLater(() => crowd.kill());
      await Promise.all(
        crowds.map((crowd, number) => crowd.call("joinAsCrowd", scene.joinOptions(`crowd${number}`, scene.port), each)),
      );
      await scene.coordinator.kill();
      await scene.restartCoordinator();
      await scene.coordinator.call("measureEventLoop");
      const startMs = Date.now();
      for (const crowd of crowds) await crowd.call("speakAsCrowd");
      const back = (await Promise.all(crowds.map((crowd) => crowd.call("crowdIsBack")))).flat();
      const eventLoopP99Ms = await scene.coordinator.call("eventLoopP99Ms");
      expect(await scene.coordinator.call("clients")).toHaveLength(2 * each);
      const ms = Math.max(...back) - startMs;
      expect(ms).toBeLessThan(backWithinMs);
      // In `npm test` there are few turns to take it from, and other tests run beside.
      expect(eventLoopP99Ms).toBeLessThan(stage.pick(Infinity, mostEventLoopMs));
      return { ms, figures: { eventLoopP99Ms } };
    },
  },
];
