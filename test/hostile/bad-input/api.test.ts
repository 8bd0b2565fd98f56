import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client, ConecError } from "../../../src/index.ts";
import { memoryKind, next, quicKind } from "../../support/hub.ts";
import { apiMisuses, hooks } from "./api-cases.ts";
import type { Program } from "./api-cases.ts";
import { Scene } from "./scene.ts";
import { within } from "./within.ts";

/** Calls that may wait, with a signal. */
const abortable: Record<string, (program: Program, signal: AbortSignal) => Promise<unknown>> = {
  "Client.connect": async ({ scene: { hub } }, signal) => {
    const client = await Client.connect(hub.url, { transport: hub.transport, id: "another", signal });
    await client.close();
  },
  introduce: async ({ scene: { hub } }, signal) => {
    const link = await hub.coordinator.introduce("user", "carol", { signal });
    link.close();
  },
  createUnidirectionalStream: async ({ channel }, signal) => {
    await (await channel.createUnidirectionalStream({ signal })).abort("never mind");
  },
  sendChannel: ({ channel, client }, signal) => client.coordinator.sendChannel(channel, { signal }),
  "channel.close": ({ channel }, signal) => channel.close({ signal }),
  "client.close": ({ client }, signal) => client.close({ signal }),
};

describe.each([memoryKind, quicKind])("a program that uses conec as it should not, over $name", (kind) => {
  let scene: Scene;
  beforeAll(async () => void (scene = await Scene.start(kind, hooks)));
  afterAll(() => scene.end());

  /** Lets a program do something, and looks that nobody else notices. */
  async function run(does: (program: Program) => Promise<void>): Promise<void> {
    const client = await scene.hub.join("user");
    try {
      await scene.hub.coordinator.introduce("user", "carol");
      await does({ client, channel: await next(client.incomingChannels), scene });
      await scene.goesOn();
    } finally {
      await client.close();
    }
    await scene.isTidy();
  }

  test.each(apiMisuses)("%s", (_, does, gets) =>
    run(async (program) => {
      const doing = (async () => does(program))().then(
        () => "nothing",
        (error: unknown) => (error instanceof ConecError ? error.code : error),
      );
      expect(await within(gets === "nothing" ? 20_000 : 1000, doing, () => "no answer")).toBe(gets);
    }),
  );

  test.each(Object.keys(abortable))("an abort of %s, in any turn of it", async (call) => {
    for (let turns = 0; turns < 12; turns += 1) {
      await run(async (program) => {
        const controller = new AbortController();
        const calling = abortable[call]!(program, controller.signal).then(
          () => "done",
          (error: unknown) => error,
        );
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        controller.abort("enough");
        const refused = expect.objectContaining({ code: "refused" }) as unknown; // sendChannel, which needs leave
        expect(["done", "enough", refused]).toContainEqual(await within(1000, calling, () => "no answer"));
      });
    }
  });
});
