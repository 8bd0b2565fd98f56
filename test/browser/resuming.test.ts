/** Pages whose connection is lost in mid-transfer: they come back by themselves, and no message is missing or there twice. */
import { setImmediate as turn } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, test } from "vitest";

import { Client, Coordinator } from "../../src/index.ts";
import type { Channel } from "../../src/index.ts";
import { listen } from "../../src/transports/quic/index.ts";
import { receiveAll, sendAll } from "../conformance/load.ts";
import { next } from "../support/hub.ts";
import { UdpPath } from "../support/network/udp-path.js";
import { inChromium } from "./in-chromium.ts";
import { cert, hash, key, nodeTransport } from "./parties.ts";

/** About 25 MB in messages of 0 to 200 KB. */
const load = { bytes: "mixed" } as const;
const count = 5000;

/** After so long a blackout, both sides take the connection for lost. */
const idleTimeoutMs = 4000;

inChromium("a page whose connection is lost", (pages) => {
  let coordinator: Coordinator;
  let path: UdpPath;
  let node: Client;
  let page: Page;
  let channel: Channel;

  beforeEach(async () => {
    coordinator = new Coordinator();
    const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs });
    coordinator.serve(listener);
    path = await UdpPath.open({ serverPort: listener.address.port });
    const url = (port: number): string => `https://127.0.0.1:${port}`;
    node = await Client.connect(url(listener.address.port), { transport: nodeTransport, id: "node" });
    page = await pages().open();
    await page.evaluate(join, { url: url(path.port), hash: [...hash] });
    await coordinator.introduce("page", "node");
    channel = await next(node.incomingChannels);
  });

  afterEach(async () => {
    await page?.close();
    await Promise.all([node?.close(), coordinator?.close()]);
    await path?.close();
  });

  /** Both ways at once, while the page loses its connection this way so many times. */
  async function transfer(times: number, lose: () => Promise<void>): Promise<void> {
    const inPage = page.evaluate(sendAndReceive, { load, count });
    const sending = channel.createUnidirectionalStream().then((writable) => sendAll(writable, load, count));
    const receiving = next(channel.incomingUnidirectionalStreams).then((readable) => receiveAll(readable, load));
    const all = Promise.all([inPage, receiving, sending]);
    all.catch(() => {});
    for (let time = 1; time <= times; time += 1) {
      while ((await channel.getStats()).messagesReceived < (time * count) / (times + 1))
        await Promise.race([turn(), all]);
      await lose();
    }
    expect(await all).toEqual([count, count, undefined]);
    expect(await page.evaluate(() => tab.states)).toEqual(
      Array.from({ length: times }, () => ["reconnecting", "connected"]).flat(),
    );
  }

  test("by reconnect(), again and again", async () => {
    await transfer(5, () => page.evaluate(() => tab.client.reconnect()));
  });

  test("in a blackout", async () => {
    await transfer(1, async () => {
      path.pass = () => false;
      await page.waitForFunction(() => tab.client.state === "reconnecting");
      path.pass = () => true;
    });
  });
});

// What follows runs in the page.

async function join({ url, hash }: { url: string; hash: number[] }): Promise<void> {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  const client = await conec.Client.connect(url, {
    transport: conec.webtransport({ serverCertificateHashes }),
    id: "page",
    reconnect: { firstDelayMs: 1, maxDelayMs: 100 },
  });
  const states: string[] = [];
  client.addEventListener("statechange", () => states.push(client.state));
  globalThis.tab = { client, states } as typeof tab;
}

/** How many messages came. */
async function sendAndReceive({ load, count }: { load: { bytes: "mixed" }; count: number }): Promise<number> {
  const { value: channel } = await tab.client.incomingChannels.getReader().read();
  const sending = conec.sendAll(await channel!.createUnidirectionalStream(), load, count);
  const { value: stream } = await channel!.incomingUnidirectionalStreams.getReader().read();
  const [received] = await Promise.all([conec.receiveAll(stream!, load), sending]);
  return received;
}
