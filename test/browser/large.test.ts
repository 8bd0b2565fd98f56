/** 100 MB through a Coordinator, from and to Chromium, with the right SHA-256. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sendAll } from "../conformance/load.ts";
import type { Load, TestReadable } from "../conformance/load.ts";
import { joinHere, relayed } from "../conformance/paths.ts";
import { next } from "../support/hub.ts";
import { message } from "../support/messages.ts";
import { Bridge } from "./bridge.ts";
import { inChromium } from "./in-chromium.ts";
import { joinInTab, quicAndPages } from "./parties.ts";
import { RemoteMessageReadable } from "./remote-streams.ts";

const totalBytes = 100_000_000;
const load: Load = { bytes: 100_000 };
const count = totalBytes / 100_000;

inChromium("100 MB", (pages) => {
  const tabs: Bridge[] = [];

  beforeAll(async () => {
    tabs.push(await Bridge.start(await pages().open()), await Bridge.start(await pages().open()));
  });

  afterAll(async () => {
    await Promise.all(tabs.map((tab) => tab.close()));
  });

  const tab = joinInTab(() => tabs[0]!);
  const otherTab = joinInTab(() => tabs[1]!);
  const paths = [
    relayed("Chromium to Chromium", quicAndPages, tab, otherTab),
    relayed("Chromium to Node", quicAndPages, tab, joinHere),
    relayed("Node to Chromium", quicAndPages, joinHere, tab),
  ];

  for (const { name, open } of paths) {
    test(`${name}, through the Coordinator`, { timeout: 120_000 }, async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const receiving = sha256(await next(b.incomingUnidirectionalStreams));
      const startMs = performance.now();
      await sendAll(writable, load, count);
      const seconds = (performance.now() - startMs) / 1000;
      expect(await receiving).toBe(expectedSha256());
      console.info(`100 MB, ${name}: ${Math.round(totalBytes / 1e6 / seconds)} MB/s`);
      await close();
    });
  }
});

async function sha256(readable: TestReadable): Promise<string> {
  if (readable instanceof RemoteMessageReadable) return Buffer.from(await readable.sha256(totalBytes)).toString("hex");
  const hash = createHash("sha256");
  for await (const bytes of readable) hash.update(bytes);
  return hash.digest("hex");
}

function expectedSha256(): string {
  const hash = createHash("sha256");
  for (let index = 0; index < count; index += 1) hash.update(message(index, 100_000));
  return hash.digest("hex");
}
