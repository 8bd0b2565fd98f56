/** Paths on which for a while nothing arrives, in either direction. */
import { expect } from "vitest";

import { connectionGone, peerGone } from "../outcome.ts";
import { everywhere, inNode, lossLimitMs, pause, timed } from "../row.ts";
import type { Row, Stage } from "../row.ts";
import type { Scene, SceneOptions } from "../scene.ts";
import { goesOnOrIsLost } from "./goes-on-or-is-lost.ts";

/** In short everything is so much shorter. */
const share = 0.15;
const usualIdleTimeoutMs = 15_000;
/** Chromium gives up a second before the time, in short as well. */
const chromiumHurryMs = 1000;

/**
 * Chromium ends a connection by itself when its packets were not acknowledged after five timeouts in a row: about 6 s, while
 * streams flow. Nobody can ask it not to.
 */
const chromiumPatienceS = 5;

function survivedRow(seconds: number, traffic: "while streams flow" | "while nothing is said"): Row {
  const isFlowing = traffic === "while streams flow";
  const mayEnd = (stage: Stage): boolean =>
    stage.kind.name === "webtransport" && isFlowing && seconds > chromiumPatienceS;
  return {
    fault: `a silence of ${seconds} s, ${traffic}`,
    outcome: "survives",
    kinds: everywhere,
    briefKinds: seconds > 10 && !isFlowing ? everywhere : inNode,
    async run(stage) {
      const scene = await linked(stage);
      if (isFlowing) {
        await scene.startFlows({ maxBytes: 20_000 });
        await scene.flowed(20);
      }
      scene.paths.alice.set({ blackout: true });
      await pause(inTime(stage, 1000 * seconds));
      scene.paths.alice.set({ blackout: false });
      if (mayEnd(stage)) return await goesOnOrIsLost(stage, scene, inTime(stage, 1000 * seconds));
      const [ms] = await timed(async () => {
        if (!isFlowing) await scene.startFlows({ maxBytes: 20_000 });
        await scene.flowed(50);
      });
      await scene.finishFlows();
      return { ms };
    },
  };
}

export const silenceRows: readonly Row[] = [
  survivedRow(3, "while streams flow"),
  survivedRow(3, "while nothing is said"),
  survivedRow(12, "while streams flow"),
  survivedRow(12, "while nothing is said"),
  {
    fault: "a silence of 20 s, which outlasts the connection, where Clients are waited for",
    outcome: "the streams go on over another connection",
    kinds: everywhere,
    async run(stage) {
      const scene = await linked(stage, { resume: true });
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(20);
      scene.paths.alice.set({ blackout: true });
      await pause(inTime(stage, 20_000));
      scene.paths.alice.set({ blackout: false });
      const [ms] = await timed(() => scene.flowed(50));
      await scene.finishFlows();
      return { ms };
    },
  },
  {
    // What is left of the 60 s when all know it is nothing to a connection that is no more.
    fault: "a silence of 60 s",
    outcome: "typed within 16 s: `connection-lost` for the Client, `peer-lost` for the other one",
    kinds: everywhere,
    briefKinds: inNode,
    async run(stage) {
      const scene = await linked(stage);
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(20);
      const ended = Promise.all([
        scene.alice.call("connectionEnded"),
        scene.alice.call("channelEnded"),
        scene.alice.call("receivingEnded", "to alice").then(({ end }) => end),
        scene.alice.call("sendingEnded", "to bob").then(({ end }) => end),
        scene.bob.call("channelEnded"),
        scene.bob.call("receivingEnded", "to bob").then(({ end }) => end),
        scene.bob.call("sendingEnded", "to alice").then(({ end }) => end),
      ]);
      scene.paths.alice.set({ blackout: true });
      const [ms, all] = await timed(() => ended);
      expect(all.slice(0, 4)).toMatchObject([connectionGone, connectionGone, connectionGone, connectionGone]);
      expect(all.slice(4)).toMatchObject([peerGone, peerGone, peerGone]);
      expect(ms).toBeLessThan(lossLimitMs(stage, scene.idleTimeoutMs));
      scene.paths.alice.set({ blackout: false });
      await scene.bob.call("reachesCoordinator");
      await scene.settled(["bob"]);
      return { ms };
    },
  },
];

async function linked(stage: Stage, options: SceneOptions = {}): Promise<Scene> {
  const hurryMs = stage.kind.name === "webtransport" ? stage.pick(chromiumHurryMs, 0) : 0;
  const scene = await stage.open({ ...options, idleTimeoutMs: inTime(stage, usualIdleTimeoutMs) + hurryMs });
  await scene.link();
  return scene;
}

function inTime(stage: Stage, ms: number): number {
  return stage.pick(share * ms, ms);
}
