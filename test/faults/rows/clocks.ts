/** Clocks that jump, and processes for which time stands still. */
import { expect } from "vitest";

import { everywhere, inNode, pause, timed } from "../row.ts";
import type { Result, Row, Stage } from "../row.ts";
import type { Scene } from "../scene.ts";

const hourMs = 3_600_000;

function clockRow(name: string, ms: number): Row {
  return {
    fault: `the clocks of all jump by ${name}`,
    outcome: "survives",
    kinds: everywhere,
    briefKinds: ms > 0 ? everywhere : inNode,
    async run(stage) {
      const scene = await flowing(stage);
      await Promise.all([scene.alice, scene.bob, scene.coordinator].map((party) => party.call("shiftClock", ms)));
      const [goneOnMs] = await timed(() => scene.flowed(100));
      await scene.finishFlows();
      await scene.alice.call("tryToJoin", scene.joinOptions("later", scene.paths.alice));
      return { ms: goneOnMs };
    },
  };
}

function stopRow(who: "Client" | "Coordinator", name: "alice" | "coordinator"): Row {
  return {
    fault: `SIGSTOP of ${who === "Client" ? "a" : "the"} ${who} for 5 s`,
    outcome: "survives",
    kinds: everywhere,
    briefKinds: who === "Client" ? everywhere : inNode,
    async run(stage) {
      const scene = await flowing(stage);
      scene[name].pause();
      await pause(stage.pick(1000, 5000));
      scene[name].resume();
      return await goneOn(scene);
    },
  };
}

export const clockRows: readonly Row[] = [
  clockRow("+1 h", hourMs),
  clockRow("−1 h", -hourMs),
  stopRow("Client", "alice"),
  stopRow("Coordinator", "coordinator"),
];

async function flowing(stage: Stage): Promise<Scene> {
  const scene = await stage.open({ idleTimeoutMs: stage.pick(3000, 15_000) });
  await scene.link();
  await scene.startFlows({ maxBytes: 20_000 });
  await scene.flowed(20);
  return scene;
}

async function goneOn(scene: Scene): Promise<Result> {
  const [ms] = await timed(() => scene.flowed(50));
  const received = await scene.finishFlows();
  expect(received).toHaveLength(2);
  return { ms };
}
