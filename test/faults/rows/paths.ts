/** Paths that carry less than they did, or lead elsewhere. */
import { createSocket } from "node:dgram";
import { expect, vi } from "vitest";

import { Namespaces, whyNoNamespaces } from "../../support/network/namespaces.js";
import { seen } from "../outcome.ts";
import type { CoordinatorParty } from "../coordinator-party.ts";
import { PartyProcess } from "../party-process.ts";
import type { Remote } from "../party-process.ts";
import { everywhere, inNode, lossLimitMs, timed } from "../row.ts";
import type { Result, Row, Stage } from "../row.ts";
import { authority } from "../scene.ts";
import { goesOnOrIsLost } from "./goes-on-or-is-lost.ts";

const leastDatagramBytes = 1200;
const rebindings = 6;

export const pathRows: readonly Row[] = [
  {
    fault: "a path that swallows datagrams over 1200 bytes, from the start",
    outcome: "works, or a typed error within 16 s",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ alice: { maxDatagramBytes: leastDatagramBytes } });
      const [ms, joined] = await timed(() => seen(scene.link()));
      if (joined.how !== "well") {
        expect(["timeout", "unreachable"]).toContain(joined.how);
        expect(ms).toBeLessThan(lossLimitMs(stage, 15_000));
        return { ms, figures: { works: 0 } };
      }
      await scene.startFlows({ maxBytes: 20_000, count: 100 });
      const [transferMs] = await timed(() => scene.flowsEnded());
      return { ms: transferMs, figures: { works: 1 } };
    },
  },
  {
    fault: "a path that swallows datagrams over 1200 bytes, from midway on",
    outcome: "works, or a typed error within 16 s",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ idleTimeoutMs: stage.pick(3000, 15_000) });
      await scene.link();
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(100);
      scene.paths.alice.set({ maxDatagramBytes: leastDatagramBytes });
      // Small datagrams still arrive, so the idle timeout of either end may begin long after the fault.
      return await goesOnOrIsLost(stage, scene, 0, lossLimitMs(stage, 15_000));
    },
  },
  {
    fault: "six rebindings of a NAT, with traffic both ways",
    outcome: "survives",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ alice: { delayMs: 5 } });
      await scene.link();
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(20);
      await scene.measureAnew();
      for (let rebinding = 0; rebinding < rebindings; rebinding += 1) {
        await scene.paths.alice.rebind(rebinding % 2 === 0 ? "127.0.0.2" : "127.0.0.1");
        await scene.flowed(50);
        await untilMoved(scene.coordinator, rebinding + 1);
      }
      const received = await scene.finishFlows();
      const gapMs = Math.max(...received.map((flow) => flow.longestGapMs));
      expect(gapMs).toBeLessThan(10_000);
      return { ms: gapMs };
    },
  },
  {
    fault: "six rebindings of a masquerading NAT of Linux",
    outcome: "survives",
    kinds: inNode,
    missing: whyNoNamespaces,
    run: behindNat,
  },
  {
    fault: "spoofed rebinding: somebody sends copies first, from an address of his own",
    outcome: "survives; that address gets at most 3 times what it sent",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open({ alice: { delayMs: 5 } });
      await scene.link();
      const stranger = createSocket("udp4");
      await new Promise<void>((resolve) => stranger.bind(0, "127.0.0.66", resolve));
      stage.closeLater(() => new Promise<void>((resolve) => stranger.close(resolve)));
      let [sentBytes, heardBytes] = [0, 0];
      stranger.on("message", ({ length }) => (heardBytes += length));
      await scene.startFlows({ maxBytes: 20_000 });
      await scene.flowed(20);
      scene.paths.alice.pass = (datagram, direction) => {
        if (direction === "to-server") {
          sentBytes += datagram.length;
          stranger.send(Buffer.from(datagram), scene.port, "127.0.0.1");
        }
        return true;
      };
      const [ms] = await timed(() => scene.flowed(stage.pick(200, 2000)));
      scene.paths.alice.pass = () => true;
      await scene.finishFlows();
      const { addressChanges, addressChangesRefused } = await scene.coordinator.call("stats");
      expect(addressChanges).toBe(0);
      expect(addressChangesRefused).toBeGreaterThan(0);
      expect(sentBytes).toBeGreaterThan(0);
      expect(heardBytes).toBeLessThanOrEqual(3 * sentBytes);
      return { ms, figures: { heardPerSent: heardBytes / sentBytes } };
    },
  },
];

/** Waits until so many changes of address have been seen. */
async function untilMoved(coordinator: Remote<CoordinatorParty>, addressChanges: number): Promise<void> {
  const options = { timeout: 20_000, interval: 20 };
  await vi.waitFor(async () => expect((await coordinator.call("stats")).addressChanges).toBe(addressChanges), options);
}

/** Alice is behind the NAT, the Coordinator and bob are on the other side. */
async function behindNat(stage: Stage): Promise<Result> {
  const namespaces = new Namespaces();
  stage.closeLater(() => namespaces.remove());
  const [inside, outside] = [namespaces.add("inside"), namespaces.add("outside")];
  const nat = namespaces.addNat(inside, outside);
  const certificate = authority.issue();
  const idleTimeoutMs = 15_000;
  const [coordinator, alice, bob] = await Promise.all([
    PartyProcess.coordinator({ namespace: outside }),
    PartyProcess.client({ namespace: inside }),
    PartyProcess.client({ namespace: outside }),
  ]);
  for (const party of [coordinator, alice, bob]) stage.closeLater(() => party.kill());
  const port = await coordinator.call("serve", { host: "0.0.0.0", ...certificate, idleTimeoutMs });
  const joinOptions = { url: `https://${nat.serverHost}:${port}`, hash: [...certificate.hash], idleTimeoutMs };
  await Promise.all([
    alice.call("join", { ...joinOptions, id: "alice" }),
    bob.call("join", { ...joinOptions, id: "bob" }),
  ]);
  await coordinator.call("introduce", "alice", "bob");
  await Promise.all([alice.call("takeChannel"), bob.call("takeChannel")]);
  await Promise.all([
    alice.call("send", "to bob", { maxBytes: 20_000 }),
    bob.call("send", "to alice", { maxBytes: 20_000 }),
    alice.call("receive"),
    bob.call("receive"),
  ]);
  const flowed = (messages: number): Promise<unknown> =>
    Promise.all([bob.call("receivedAfter", "to bob", messages), alice.call("receivedAfter", "to alice", messages)]);
  await flowed(20);
  await Promise.all([bob.call("measureAnew", "to bob"), alice.call("measureAnew", "to alice")]);
  for (let rebinding = 0; rebinding < rebindings; rebinding += 1) {
    nat.rebind();
    await flowed(50);
    await untilMoved(coordinator, rebinding + 1);
  }
  const sent = await Promise.all([alice.call("stopSending", "to bob"), bob.call("stopSending", "to alice")]);
  const received = await Promise.all([bob.call("receivingEnded", "to bob"), alice.call("receivingEnded", "to alice")]);
  for (const [index, { messages }] of sent.entries()) {
    expect(received[index]).toMatchObject({ end: { how: "well" }, messages });
  }
  const ms = Math.max(...received.map((flow) => flow.longestGapMs));
  expect(ms).toBeLessThan(10_000);
  return { ms };
}
