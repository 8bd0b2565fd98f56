/** conec/polyfill in Chromium, with what it installs taken away before the page begins. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { builtScenario, compare, remember, takeAway } from "../polyfill/built-scenario.ts";
import { expected } from "../polyfill/scenario.ts";
import { launchChromium } from "../support/chromium.ts";

const chromium = inject("chromium");

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("in Chromium", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let browser: Browser;
  let built: string;

  beforeAll(async () => {
    [browser, built] = await Promise.all([launchChromium(chromiumPath), builtScenario()]);
  });

  afterAll(async () => {
    await browser?.close();
  });

  /** A page in which `first` ran before conec and its polyfill were loaded. */
  async function pageAfter(first: string): Promise<Page> {
    const page = await browser.newPage();
    const url = "http://localhost/"; // a secure context
    await page.route(url, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    await page.goto(url);
    await page.addScriptTag({ content: first });
    await page.addScriptTag({ content: built, type: "module" });
    await page.waitForFunction("'scenario' in globalThis");
    return page;
  }

  test("what was taken away works again", async () => {
    const page = await pageAfter(takeAway);
    expect(await page.evaluate("scenario()")).toEqual(expected);
    await page.close();
  });

  test("what is there is left as it is", async () => {
    const page = await pageAfter(remember);
    const [values, asyncIterator, from] = await page.evaluate<string[]>(compare);
    expect([values, asyncIterator]).toEqual(["same", "same"]);
    expect(["same", "missing"]).toContain(from); // not in every Chromium
    expect(await page.evaluate("scenario()")).toEqual(expected);
    await page.close();
  });
}
