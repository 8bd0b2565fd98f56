/** Certificates that are replaced, or run out, while Clients are connected. */
import { expect } from "vitest";

import { seen } from "../outcome.ts";
import type { Seen } from "../outcome.ts";
import { everywhere, timed } from "../row.ts";
import type { Row, Stage } from "../row.ts";
import { authority } from "../scene.ts";
import type { Scene } from "../scene.ts";

/** "At once" on a machine that is busy. */
const failsWithinMs = 2000;

export const certificateRows: readonly Row[] = [
  {
    fault: "the certificate is replaced",
    outcome: "live sessions go on; new ones take the new one, and who knows only the old one fails at once",
    kinds: everywhere,
    async run(stage) {
      const scene = await flowing(stage);
      const next = authority.issue();
      await scene.coordinator.call("updateCertificate", next);
      const join = scene.joinOptions("new", scene.paths.alice);
      await scene.alice.call("tryToJoin", { ...join, hash: [...next.hash] });
      const [ms, failure] = await timed(() => seen(scene.alice.call("tryToJoin", join)));
      expectFailure(stage, failure, "certificate-untrusted");
      expect(ms).toBeLessThan(failsWithinMs);
      await goesOn(scene);
      return { ms };
    },
  },
  {
    fault: "the certificate has run out",
    outcome: "live sessions go on; new ones fail at once and are told so",
    kinds: everywhere,
    async run(stage) {
      const scene = await flowing(stage);
      const expired = authority.issue({ validDays: [-3, -1] });
      await scene.coordinator.call("updateCertificate", expired);
      const join = { ...scene.joinOptions("new", scene.paths.alice), hash: [...expired.hash] };
      const [ms, failure] = await timed(() => seen(scene.alice.call("tryToJoin", join)));
      expectFailure(stage, failure, "certificate-expired");
      expect(ms).toBeLessThan(failsWithinMs);
      await goesOn(scene);
      return { ms };
    },
  },
];

async function flowing(stage: Stage): Promise<Scene> {
  const scene = await stage.open();
  await scene.link();
  await scene.startFlows({ maxBytes: 20_000 });
  await scene.flowed(20);
  return scene;
}

/** A browser does not say why it could not connect; the error then names what it may have been. */
function expectFailure({ kind }: Stage, failure: Seen, code: string): void {
  if (kind.name === "quic") expect(failure).toMatchObject({ how: code });
  else
    expect(failure).toMatchObject({ how: "unreachable", message: expect.stringMatching(/expired.*Hashes/) as string });
}

async function goesOn(scene: Scene): Promise<void> {
  await scene.flowed(50);
  await scene.finishFlows();
}
