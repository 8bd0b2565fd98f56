/** Processes that are killed. */
import { expect } from "vitest";

import { connectionGone, peerGone } from "../outcome.ts";
import { everywhere, inNode, lossLimitMs, timed } from "../row.ts";
import type { Row, Stage } from "../row.ts";

const roundTripMs = 40;

export const deathRows: readonly Row[] = [
  {
    fault: "a Client killed with SIGKILL",
    outcome: "the others know it by `peer-lost` within 16 s",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ idleTimeoutMs: idleTimeoutMs(stage) });
      await scene.link();
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(50);
      const ended = Promise.all([
        scene.bob.call("receivingEnded", "to bob"),
        scene.bob.call("sendingEnded", "to alice"),
        scene.bob.call("channelEnded"),
        scene.coordinator.call("linksEnded"),
      ]);
      await scene.alice.kill();
      const [ms, [received, sent, channel, links]] = await timed(() => ended);
      for (const seen of [received.end, sent.end, channel, ...links]) expect(seen).toMatchObject(peerGone);
      expect(ms).toBeLessThan(lossLimitMs(stage, scene.idleTimeoutMs));
      await scene.bob.call("reachesCoordinator");
      await scene.settled(["bob"]);
      return { ms };
    },
  },
  {
    fault: "the Coordinator killed and restarted at the same port",
    outcome: "Clients know it by `connection-lost` a round trip after they next send",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ alice: { delayMs: roundTripMs / 2 }, bob: { delayMs: roundTripMs / 2 } });
      await scene.link();
      const ended = Promise.all(
        [scene.alice, scene.bob].flatMap((party) => [party.call("connectionEnded"), party.call("channelEnded")]),
      );
      await scene.coordinator.kill();
      await scene.restartCoordinator();
      await Promise.all([scene.alice.call("speak"), scene.bob.call("speak")]);
      const [ms, all] = await timed(() => ended);
      for (const seen of all) expect(seen).toMatchObject(connectionGone);
      // Whoever does not know it by the stateless reset knows it after the idle timeout, three times as late.
      expect(ms).toBeLessThan(stage.pick(5000, 500));
      await scene.link();
      return { ms };
    },
  },
  {
    fault: "the Coordinator killed for good",
    outcome: "Clients know it by `connection-lost` within 16 s",
    kinds: everywhere,
    briefKinds: inNode,
    async run(stage) {
      const scene = await stage.open({ idleTimeoutMs: idleTimeoutMs(stage) });
      await scene.link();
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(50);
      const ended = Promise.all([
        ...[scene.alice, scene.bob].flatMap((party) => [party.call("connectionEnded"), party.call("channelEnded")]),
        ...[
          scene.alice.call("receivingEnded", "to alice"),
          scene.alice.call("sendingEnded", "to bob"),
          scene.bob.call("receivingEnded", "to bob"),
          scene.bob.call("sendingEnded", "to alice"),
        ].map(async (flow) => (await flow).end!),
      ]);
      await scene.coordinator.kill();
      const [ms, all] = await timed(() => ended);
      for (const seen of all) expect(seen).toMatchObject(connectionGone);
      expect(ms).toBeLessThan(lossLimitMs(stage, scene.idleTimeoutMs));
      return { ms };
    },
  },
  {
    fault: "the Coordinator killed, where the network says so (ICMP port unreachable)",
    outcome: "Clients know it by `connection-lost` within 16 s, and not before: it may be coming back",
    kinds: inNode,
    async run(stage) {
      const scene = await stage.open({ idleTimeoutMs: idleTimeoutMs(stage) });
      await scene.link({ bobBy: scene.port });
      const ended = Promise.all([scene.bob.call("connectionEnded"), scene.bob.call("channelEnded")]);
      await scene.coordinator.kill();
      await scene.bob.call("speak");
      const [ms, all] = await timed(() => ended);
      for (const seen of all) expect(seen).toMatchObject(connectionGone);
      expect(ms).toBeGreaterThan(0.5 * scene.idleTimeoutMs);
      expect(ms).toBeLessThan(lossLimitMs(stage, scene.idleTimeoutMs));
      return { ms };
    },
  },
];

function idleTimeoutMs(stage: Stage): number {
  return stage.pick(1200, 15_000);
}
