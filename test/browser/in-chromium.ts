import { afterAll, beforeAll, describe, inject, test } from "vitest";

import { BrowserPages } from "./browser-page.ts";

/** Declares tests that need pages; `pages` gives them, once a test has begun. Without a Chromium there is one that is skipped. */
export function inChromium(
  name: string,
  suite: (pages: () => BrowserPages) => void,
  options?: { backForwardCache: boolean },
): void {
  const chromium = inject("chromium");
  if ("missing" in chromium) {
    test(name, (context) => context.skip(chromium.missing));
    return;
  }
  describe(name, () => {
    let pages: BrowserPages | undefined;
    beforeAll(async () => {
      pages = await BrowserPages.start(chromium.path, options);
    });
    afterAll(async () => {
      await pages?.close();
    });
    suite(() => pages!);
  });
}
