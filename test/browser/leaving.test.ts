/** Pages that go away in mid-transfer: what they were connected to learns it. */
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";

import { Client, ConecError, Coordinator } from "../../src/index.ts";
import type { Channel } from "../../src/index.ts";
import { listen } from "../../src/transports/quic/index.ts";
import { next, rejection } from "../support/hub.ts";
import { inChromium } from "./in-chromium.ts";
import { cert, hash, key, nodeTransport } from "./parties.ts";

/**
 * Each way out is taken so often: Chromium's own goodbye is lost in one of ten cases or so, when the page was sending as
 * fast as it could. What is not said is found out by this timeout, which is longer than a test may take.
 */
const rounds = 5;
const idleTimeoutMs = 60_000;

const waysOut: Record<string, (page: Page) => Promise<unknown>> = {
  "is closed": (page) => page.close(),
  "is reloaded": (page) => page.reload(),
  "goes elsewhere": (page) => page.goto("about:blank"),
};

inChromium("a page that leaves", (pages) => {
  let coordinator: Coordinator;
  let url: string;
  let node: Client;

  beforeEach(async () => {
    coordinator = new Coordinator();
    const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs });
    coordinator.serve(listener);
    url = `https://127.0.0.1:${listener.address.port}`;
    node = await Client.connect(url, { transport: nodeTransport, id: "node" });
  });

  afterEach(async () => {
    await node?.close();
    await coordinator?.close();
  });

  /** A page that joins under that id. */
  async function joined(id: string): Promise<Page> {
    const page = await pages().open();
    await page.evaluate(joinAs, { url, hash: [...hash], id });
    return page;
  }

  for (const [way, leave] of Object.entries(waysOut)) {
    test(`that ${way} while it sends and receives is peer-lost in Node, for its reader and its writer`, async () => {
      for (let round = 0; round < rounds; round += 1) {
        const page = await joined("page");
        await coordinator.introduce("page", "node");
        const channel = await next(node.incomingChannels);
        await expectLoss(channel, page, leave);
        await page.close();
      }
    });

    test(`that ${way} while it sends is peer-lost in another page`, async () => {
      const staying = await joined("staying");
      const page = await joined("page");
      await coordinator.introduce("page", "staying");
      await page.evaluate(sendAndReceive);
      const errors = staying.evaluate(readToTheEnd);
      await staying.waitForFunction(() => tab.received > 50);
      await leave(page);
      expect(await errors).toEqual(["peer-lost", "peer-lost"]);
      await staying.close();
      await page.close();
    });
  }

  test("that closes its Client with streams open lives on", async () => {
    for (let round = 0; round < rounds; round += 1) {
      const page = await joined("page");
      const crashed = new Promise((resolve) => page.once("crash", () => resolve("the page has crashed")));
      expect(await Promise.race([page.evaluate(closeWithStreamsOpen), crashed])).toBe("closed");
      await page.close();
    }
  });
});

inChromium("a page that crashes", (pages) => {
  // In one of four cases nothing is said to the Coordinator.
  test("is peer-lost in Node, when its connection is lost at the latest", async () => {
    const coordinator = new Coordinator({ limits: { resumeWindowMs: 0 } });
    const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs: 4000 });
    coordinator.serve(listener);
    const url = `https://127.0.0.1:${listener.address.port}`;
    const node = await Client.connect(url, { transport: nodeTransport, id: "node" });
    onTestFinished(async () => {
      await node.close();
      await coordinator.close();
    });
    const page = await pages().open();
    await page.evaluate(joinAs, { url, hash: [...hash], id: "page" });
    await coordinator.introduce("page", "node");
    const channel = await next(node.incomingChannels);
    await expectLoss(channel, page, async () => void page.goto("chrome://crash").catch(() => {}));
    await page.close();
  });
});

inChromium(
  "a page that comes back from the back/forward cache",
  (pages) => {
    test("finds its Client closed", async () => {
      const coordinator = new Coordinator();
      const listener = await listen({ host: "127.0.0.1", cert, key });
      coordinator.serve(listener);
      onTestFinished(() => coordinator.close());
      const page = await pages().open();
      await page.evaluate(joinAs, { url: `https://127.0.0.1:${listener.address.port}`, hash: [...hash], id: "page" });
      const channel = await next(coordinator.incomingChannels);
      await page.goto(`${pages().origin}/page.js`);
      expect(await channel.closed).toEqual({ closeCode: 0, reason: "The page was left" });
      await page.goBack({ waitUntil: "commit" });
      const error = await page.evaluate(() => tab.client.coordinator.createUnidirectionalStream().catch(String));
      expect(error).toBe("ConecError: The page was left");
    });
  },
  { backForwardCache: true },
);

/** Both directions are under way when the page leaves; then everything that waits for it is told so. */
async function expectLoss(channel: Channel, page: Page, leave: (page: Page) => Promise<unknown>): Promise<void> {
  await page.evaluate(sendAndReceive);
  const reader = (await next(channel.incomingUnidirectionalStreams)).getReader();
  const writer = (await channel.createUnidirectionalStream()).getWriter();
  for (let message = 0; message < 50; message += 1)
    await Promise.all([reader.read(), writer.write(new Uint8Array(1000))]);
  const reading = (async () => {
    while (!(await reader.read()).done);
  })();
  const broken = Promise.all([reading, writer.closed, channel.closed].map(rejection));
  await leave(page);
  for (const error of await broken) {
    expect(error).toBeInstanceOf(ConecError);
    expect(error).toMatchObject({ code: "peer-lost" });
  }
}

// What follows runs in the page.

async function joinAs({ url, hash, id }: { url: string; hash: number[]; id: string }): Promise<void> {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  const client = await conec.Client.connect(url, { transport: conec.webtransport({ serverCertificateHashes }), id });
  globalThis.tab = { client, received: 0 } as typeof tab;
}

/** Goes on after this has resolved. */
async function sendAndReceive(): Promise<void> {
  const { value: channel } = await tab.client.incomingChannels.getReader().read();
  const send = async (): Promise<void> => {
    const writer = (await channel!.createUnidirectionalStream()).getWriter();
    for (;;) await writer.write(new Uint8Array(50_000));
  };
  const receive = async (): Promise<void> => {
    for await (const stream of channel!.incomingUnidirectionalStreams) for await (const _ of stream);
  };
  send().catch(() => {});
  receive().catch(() => {});
}

/** What the first incoming stream and its channel break with. */
async function readToTheEnd(): Promise<string[]> {
  const { value: channel } = await tab.client.incomingChannels.getReader().read();
  const { value: stream } = await channel!.incomingUnidirectionalStreams.getReader().read();
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "none",
      (error: { code: string }) => error.code,
    );
  const read = async (): Promise<void> => {
    for await (const _ of stream!) tab.received += 1;
  };
  return await Promise.all([codeOf(read()), codeOf(channel!.closed)]);
}

async function closeWithStreamsOpen(): Promise<string> {
  const { client } = tab;
  for (let stream = 0; stream < 20; stream += 1) {
    const writer = (await client.coordinator.createUnidirectionalStream()).getWriter();
    await writer.write(new Uint8Array(100));
  }
  await client.close();
  // Chromium's own last words on the streams come after that.
  await new Promise((resolve) => setTimeout(resolve, 100));
  return "closed";
}
