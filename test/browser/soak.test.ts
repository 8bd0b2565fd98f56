/** 200 sessions at once at one Coordinator, opened and closed at random: nothing breaks, and nothing is left of them. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test, vi } from "vitest";

import { ConecError, Coordinator } from "../../src/index.ts";
import type { Channel, MessageReadable } from "../../src/index.ts";
import { listen } from "../../src/transports/quic/index.ts";
import { receiveAll, sendAll } from "../conformance/load.ts";
import type { Load } from "../conformance/load.ts";
import { inChromium } from "./in-chromium.ts";
import { cert, hash, key } from "./parties.ts";
import type { SoakOptions, SoakResult } from "./soak-page.ts";

/** For longer runs, CONEC_SOAK_SECONDS says how long. */
const seconds = Number(process.env["CONEC_SOAK_SECONDS"] ?? 5);
const tabCount = 4;
const sessionsPerTab = 50;

/** What the heap and the buffers may have grown by. It takes a few megabytes until all that will be has been compiled. */
const maxGrowthBytes = 10 * 1024 * 1024;

inChromium("200 sessions", (pages) => {
  test("opened and closed at random", { timeout: 1000 * seconds + 90_000 }, async () => {
    const coordinator = new Coordinator();
    const listener = await listen({ host: "127.0.0.1", cert, key });
    coordinator.serve(listener);
    onTestFinished(() => coordinator.close());
    const errors: unknown[] = [];
    void (async () => {
      for await (const channel of coordinator.incomingChannels) {
        void answer(channel).catch((error: unknown) => errors.push(error));
      }
    })();

    const soak = async (tabs: number, sessions: number, seconds: number): Promise<SoakResult[]> => {
      const url = `https://127.0.0.1:${listener.address.port}`;
      const all = await Promise.all(Array.from({ length: tabs }, () => pages().open()));
      for (const page of all) page.on("pageerror", (error) => errors.push(error));
      const opening = all.map((page, seed) => page.evaluate(openSessions, { url, hash: [...hash], sessions, seed }));
      await Promise.all(opening);
      expect(coordinator.clients.size).toBe(tabs * sessions);
      const results = await Promise.all(all.map((page) => page.evaluate((given) => tab.goOn(given), seconds)));
      await Promise.all(all.map((page) => page.close()));
      return results;
    };
    const settled = async (): Promise<number> => {
      await vi.waitFor(
        async () => {
          expect(await coordinator.getStats()).toMatchObject({ clients: 0, pending: 0, links: 0 });
          expect(await listener.getStats()).toMatchObject({ connections: 0, halfOpen: 0 });
        },
        { timeout: 10_000 },
      );
      return await bytesInUse();
    };

    await soak(1, 20, 1); // so that what stays for good is there
    const before = await settled();
    const results = await soak(tabCount, sessionsPerTab, seconds);
    const grown = (await settled()) - before;

    expect(results.flatMap((result) => result.errors)).toEqual([]);
    expect(errors).toEqual([]);
    expect(grown).toBeLessThan(maxGrowthBytes);
    const opened = results.reduce((sum, result) => sum + result.opened, 0);
    const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    const rss = megabytes(process.memoryUsage.rss());
    console.info(`${opened} sessions in ${seconds} s; heap and buffers grew by ${megabytes(grown)}, RSS is ${rss}`);
  });
});

/** Sends every stream back, until the channel ends. */
async function answer(channel: Channel): Promise<void> {
  const sendBack = async (readable: MessageReadable): Promise<void> => {
    const { count, ...load } = readable.metadata as unknown as Load & { count: number };
    expect(await receiveAll(readable, load)).toBe(count);
    await sendAll(await channel.createUnidirectionalStream(), load, count);
  };
  try {
    for await (const readable of channel.incomingUnidirectionalStreams) await sendBack(readable);
  } catch (error) {
    const gone = error instanceof ConecError && ["closed", "connection-lost", "peer-lost"].includes(error.code);
    if (!gone) throw error;
  }
}

/** What native parts have let go of is counted off a turn after the collection. */
async function bytesInUse(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round += 1) {
    gc();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Runs in the page. */
async function openSessions(options: SoakOptions): Promise<void> {
  globalThis.tab = { goOn: await conec.soak(options) } as typeof tab;
}
