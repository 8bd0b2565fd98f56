/** Sockets that cannot be had, and networks that carry no UDP. */
import { createSocket } from "node:dgram";
import { expect } from "vitest";

import { Namespaces, whyNoNamespaces } from "../../support/network/namespaces.js";
import { seen } from "../outcome.ts";
import { PartyProcess } from "../party-process.ts";
import { everywhere, inNode, timed } from "../row.ts";
import type { Row } from "../row.ts";
import { authority } from "../scene.ts";

const fewFiles = 48;

export const socketRows: readonly Row[] = [
  {
    fault: "the port is in use",
    outcome: "`address-in-use`, and who has it goes on",
    kinds: inNode,
    async run(stage) {
      const scene = await stage.open();
      const second = await PartyProcess.coordinator();
      stage.closeLater(() => second.kill());
      const options = { ...authority.issue(), port: scene.port, idleTimeoutMs: 15_000 };
      const [ms, failure] = await timed(() => seen(second.call("serve", options)));
      expect(failure).toMatchObject({ how: "address-in-use" });
      await scene.link();
      return { ms };
    },
  },
  {
    fault: "no more files can be opened (EMFILE), at a Client",
    outcome: "typed, and the Clients that are there go on",
    kinds: inNode,
    async run(stage) {
      const scene = await stage.open();
      const crowd = await PartyProcess.client({ maxOpenFiles: fewFiles });
      stage.closeLater(() => crowd.kill());
      await crowd.call("join", scene.joinOptions("first", scene.port));
      const options = scene.joinOptions("more", scene.port);
      const [ms, { joined, failure }] = await timed(() => crowd.call("joinUntilItFails", options, fewFiles));
      expect(joined).toBeGreaterThan(0);
      expect(failure).toMatchObject({ how: "unreachable", source: "connection" });
      await crowd.call("reachesCoordinator");
      return { ms };
    },
  },
  {
    fault: "no more files can be opened (EMFILE), at the Coordinator",
    outcome: "typed; the Clients that are there go on, and new ones get in",
    kinds: inNode,
    async run(stage) {
      const coordinator = await PartyProcess.coordinator({ maxOpenFiles: fewFiles });
      const client = await PartyProcess.client();
      for (const party of [coordinator, client]) stage.closeLater(() => party.kill());
      const certificate = authority.issue();
      const serve = { ...certificate, idleTimeoutMs: 15_000 };
      const port = await coordinator.call("serve", serve);
      const joinOptions = { url: `https://127.0.0.1:${port}`, hash: [...certificate.hash], idleTimeoutMs: 15_000 };
      await client.call("join", { ...joinOptions, id: "first" });
      const [ms, failure] = await timed(async () => {
        for (let listeners = 0; listeners < fewFiles; listeners += 1) {
          const attempt = await seen(coordinator.call("serve", serve));
          if (attempt.how !== "well") return attempt;
        }
        return undefined;
      });
      expect(failure).toMatchObject({ how: "unreachable" });
      await client.call("reachesCoordinator");
      await client.call("tryToJoin", { ...joinOptions, id: "second" });
      return { ms };
    },
  },
  {
    fault: "nobody listens there (ICMP port unreachable)",
    outcome: "`unreachable`",
    kinds: everywhere,
    async run(stage) {
      const scene = await stage.open();
      const socket = createSocket("udp4");
      await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
      const { port } = socket.address();
      await new Promise<void>((resolve) => socket.close(resolve));
      const [ms, failure] = await timed(() => seen(scene.alice.call("tryToJoin", scene.joinOptions("alice", port))));
      expect(failure).toMatchObject({ how: "unreachable" });
      expect(ms).toBeLessThan(stage.pick(12_000, 11_000));
      return { ms };
    },
  },
  {
    fault: "no UDP: it is swallowed",
    outcome: "typed within the time that connecting may take (10 s)",
    kinds: everywhere,
    briefKinds: inNode,
    async run(stage) {
      const scene = await stage.open({ alice: { blackout: true } });
      const connectTimeoutMs = stage.pick(1000, 10_000);
      const options = { ...scene.joinOptions("alice", scene.paths.alice), connectTimeoutMs };
      const [ms, failure] = await timed(() => seen(scene.alice.call("tryToJoin", options)));
      expect(["timeout", "unreachable"]).toContain(failure.how);
      expect(ms).toBeLessThan(stage.pick(14_000, 11_000));
      scene.paths.alice.set({ blackout: false });
      await scene.link();
      return { ms };
    },
  },
  {
    fault: "no UDP: a firewall rejects it (ICMP administratively prohibited)",
    outcome: "`unreachable` at once",
    kinds: inNode,
    missing: whyNoNamespaces,
    async run(stage) {
      const namespaces = new Namespaces();
      stage.closeLater(() => namespaces.remove());
      const [here, there] = [namespaces.add("here"), namespaces.add("there")];
      const cable = namespaces.connect(here, there);
      const certificate = authority.issue();
      const [coordinator, client] = await Promise.all([
        PartyProcess.coordinator({ namespace: there }),
        PartyProcess.client({ namespace: here }),
      ]);
      for (const party of [coordinator, client]) stage.closeLater(() => party.kill());
      const serve = { host: "0.0.0.0", ...certificate, idleTimeoutMs: 15_000 };
      const port = await coordinator.call("serve", serve);
      there.rejectUdp();
      const joinOptions = { url: `https://${cable.b}:${port}`, hash: [...certificate.hash], idleTimeoutMs: 15_000 };
      const options = { ...joinOptions, id: "alice" };
      const [ms, failure] = await timed(() => seen(client.call("tryToJoin", options)));
      expect(failure).toMatchObject({ how: "unreachable" });
      expect(ms).toBeLessThan(5000);
      there.letPass();
      await client.call("tryToJoin", options);
      return { ms };
    },
  },
  {
    fault: "no UDP, and the Client may fall back to WebSocket",
    outcome: "gets in over WebSocket",
    kinds: inNode,
    async run(stage) {
      const scene = await stage.open({ alice: { blackout: true } });
      const webSocketPort = await scene.coordinator.call("serveWebSockets", scene.certificate);
      const options = { ...scene.joinOptions("alice", scene.paths.alice), webSocketPort };
      const [ms] = await timed(() => scene.alice.call("join", options));
      await scene.alice.call("reachesCoordinator");
      return { ms };
    },
  },
];
