import { expect } from "vitest";

import { connectionGone, peerGone } from "../outcome.ts";
import { lossLimitMs, timed } from "../row.ts";
import type { Result, Stage } from "../row.ts";
import type { Scene } from "../scene.ts";

/**
 * Sees that one of two things comes of it: the streams go on (`works` 1), or alice loses her connection and bob his peer in
 * the time that it may take.
 *
 * @param sinceMs how long it has been going on already
 * @param limitMs from then on, within which all must know of the loss
 */
export async function goesOnOrIsLost(
  stage: Stage,
  scene: Scene,
  sinceMs = 0,
  limitMs = lossLimitMs(stage, scene.idleTimeoutMs),
): Promise<Result> {
  const flowed = scene.flowed(200).then(() => "goes on" as const);
  flowed.catch(() => {});
  const ended = Promise.all([scene.alice.call("connectionEnded"), scene.bob.call("channelEnded")]);
  const [ms, first] = await timed(() => Promise.race([flowed.catch(() => ended), ended]));
  if (first === "goes on") {
    await scene.finishFlows();
    return { ms, figures: { works: 1 } };
  }
  expect(first).toMatchObject([connectionGone, peerGone]);
  expect(sinceMs + ms).toBeLessThan(limitMs);
  return { ms: sinceMs + ms, figures: { works: 0 } };
}
