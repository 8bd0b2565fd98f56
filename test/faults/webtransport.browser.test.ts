/** What befalls a Client in a page of Chromium. The rows are in the folder `rows`. */
import { afterAll, inject, test } from "vitest";

import { faultTests } from "./fault-tests.ts";
import { PageClient } from "./page-client.ts";
import { PartyProcess } from "./party-process.ts";
import { rows } from "./rows.ts";

const chromium = inject("chromium");

if ("missing" in chromium) test("faults, webtransport", (context) => context.skip(chromium.missing));
else {
  afterAll(async () => {
    await PageClient.closeChromium();
    await PartyProcess.removeAll();
  });

  faultTests({ name: "webtransport", start: () => PageClient.open(chromium.path) }, rows);
}
