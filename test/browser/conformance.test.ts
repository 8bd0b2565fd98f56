/** The conformance suite with Chromium at one end of the channel, at the other, and at both. */
import { afterAll, beforeAll } from "vitest";

import { backpressure } from "../conformance/backpressure.ts";
import { endings } from "../conformance/endings.ts";
import { messages } from "../conformance/messages.ts";
import type { Path } from "../conformance/path.ts";
import { direct, joinHere, relayed } from "../conformance/paths.ts";
import { Bridge } from "./bridge.ts";
import { inChromium } from "./in-chromium.ts";
import { joinInTab, quicAndPages } from "./parties.ts";

/** Of 490 MB: Chromium moves some 50 MB/s, and half of that where both ends are in Chromium. See also large.test.ts. */
const shareOfLoad = 0.05;
/** Chromium lets 6 MB come in for a stream that nobody reads. */
const maxUnreadBytes = 10_000_000;

inChromium("in Chromium", (pages) => {
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
    direct("Chromium to Coordinator", quicAndPages, tab),
    turned("Coordinator to Chromium", direct("", quicAndPages, tab)),
    relayed("Chromium to Node", quicAndPages, tab, joinHere),
    relayed("Node to Chromium", quicAndPages, joinHere, tab),
    relayed("Chromium to Chromium", quicAndPages, tab, otherTab),
  ].map((path) => ({ ...path, shareOfLoad, maxUnreadBytes }));
  for (const suite of [messages, backpressure, endings]) paths.forEach(suite);
});

/** The same way, the other way round. */
function turned(name: string, path: Path): Path {
  return {
    name,
    open: async (limits) => {
      const { a, b, ...rest } = await path.open(limits);
      return { a: b, b: a, ...rest };
    },
  };
}
