import { setTimeout } from "node:timers/promises";

import type { Channel, Client } from "../../../src/index.ts";
import { next } from "../../support/hub.ts";
import type { Attack, Scene } from "./attack.ts";
import { Attacker, withAttackers } from "./attacker.ts";
import { frames, largest } from "./frames.ts";
import { honestClient } from "./honest-client.ts";
import { floodName, unreadName } from "./stream-names.ts";

/** Attacks by Clients that have joined as they should. */
export const clientAttacks: Attack[] = [
  {
    name: "error codes that cannot be sent back",
    run: (scene) =>
      withAttackers(scene, 1, async (attacker) => {
        const { coordinator } = await attacker.join("mirror");
        const writer = (await coordinator.createUnidirectionalStream()).getWriter();
        writer.closed.catch(() => {});
        await writer.write(Buffer.from("echo"));
        await (await next(coordinator.incomingUnidirectionalStreams)).getReader().read();
        // The Coordinator's first one-way stream is 3, the Client's is 2.
        attacker.send(frames.stopSending(3, largest), frames.resetStream(2, largest, 100_000), frames.ping());
        await scene.victim.figures();
      }),
  },
  {
    name: "a Client asks for much and reads nothing",
    run: (scene) =>
      withClient(scene, "asker", async (client) => {
        await Promise.all(Array.from({ length: 100 }, () => ask(client.coordinator)));
        await scene.honest.after(100);
      }),
  },
  {
    name: "a Client sends as much as it may to somebody who does not read",
    isHeavy: true,
    counts: { data: 0 },
    run: (scene) =>
      withClient(scene, "sender", async (client) => {
        const block = new Uint8Array(65_536);
        const writers = await Promise.all(
          Array.from({ length: 200 }, async () => {
            const writable = await client.coordinator.createUnidirectionalStream({ name: unreadName });
            const writer = writable.getWriter();
            writer.closed.catch(() => {});
            void (async () => {
              for (;;) await writer.write(block);
            })().catch(() => {});
            return writer;
          }),
        );
        await scene.honest.after(200);
        // Backpressure: whoever waits for room is not given any.
        if (writers.some((writer) => (writer.desiredSize ?? 1) > 0)) throw new Error("Nobody reads, and there is room");
      }),
  },
  {
    name: "a Client asks for much and acknowledges nothing",
    run: (scene) =>
      withAttackers(scene, 1, async (attacker) => {
        const { coordinator } = await attacker.join("deaf");
        await ask(coordinator);
        await next(coordinator.incomingUnidirectionalStreams);
        attacker.fallDeaf();
        const { bytes } = attacker.heard;
        for (let round = 0; round < 10; round += 1) {
          attacker.send(frames.ping());
          await setTimeout(100);
        }
        const heardBytes = attacker.heard.bytes - bytes;
        if (heardBytes > 4_000_000) throw new Error(`${heardBytes} bytes were sent without an acknowledgement`);
      }),
  },
  {
    name: "a Client acknowledges what it has not received (CVE-2025-4820)",
    run: async ({ victim }) => {
      const attacker = await Attacker.connect(victim.port, { windowBytes: 2 ** 40 });
      const { coordinator } = await attacker.join("liar");
      for (let count = 0; count < 8; count += 1) await ask(coordinator);
      await next(coordinator.incomingUnidirectionalStreams);
      attacker.fallDeaf();
      // Everything that may have been sent, again and again. What the Coordinator keeps of it shows in its memory.
      for (let round = 0; round < 1000; round += 1) {
        attacker.send(frames.ack(10_000_000, 10_000_000));
        if (round % 4 === 0) await setTimeout(1);
      }
      await attacker.close();
    },
  },
];

/** A Client of the usual kind, for as long as `use` takes. */
async function withClient({ victim }: Scene, id: string, use: (client: Client) => Promise<void>): Promise<void> {
  const client = await honestClient(victim.target, { id });
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

/** Asks the victim for a flood of messages. */
async function ask(channel: Channel): Promise<void> {
  const writer = (await channel.createUnidirectionalStream({ name: floodName })).getWriter();
  writer.closed.catch(() => {});
  await writer.write(Buffer.from("more"));
  void writer.close().catch(() => {});
}
