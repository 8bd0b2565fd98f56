/** The small examples whose point is a browser, in Chromium, on an installed conec. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { InstalledExample } from "../browser/installed-example.ts";
import { launchChromium } from "../support/chromium.ts";

const chromium = inject("chromium");

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("the small examples in Chromium", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let example: InstalledExample;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    example = new InstalledExample();
    browser = await launchChromium(chromiumPath);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await example?.close();
  });

  afterEach(() => context?.close());

  async function open(url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  test("chat: all tabs hear what one says, and who comes and goes", async () => {
    const program = example.start("chat/main.js");
    const [, url] = (await program.printed(/Open (\S+)/)) as unknown as [string, string];
    context = await browser.newContext();
    const pages: Page[] = [];
    for (const name of ["ann", "bob", "cleo"]) {
      const page = await open(`${url}?name=${name}`);
      await page.getByText(`${name} is here`).waitFor();
      pages.push(page);
    }
    const [ann, bob, cleo] = pages as [Page, Page, Page];
    await bob.getByLabel("Say").fill("hello all");
    await bob.getByLabel("Say").press("Enter");
    for (const page of pages) await page.getByText("bob: hello all").waitFor();
    await cleo.close();
    for (const page of [ann, bob]) await page.getByText("cleo has left").waitFor();
    expect(await ann.locator("li").allTextContents()).toEqual([
      "ann is here",
      "bob is here",
      "cleo is here",
      "bob: hello all",
      "cleo has left",
    ]);
    program.interrupt();
    expect(await program.exitCode(), program.output).toBe(0);
  });

  test("media: pictures of one tab are shown in two others", async () => {
    const program = example.start("media/main.js");
    const [, url] = (await program.printed(/Open (\S+)\?camera/)) as unknown as [string, string];
    context = await browser.newContext();
    const camera = await open(`${url}?camera`);
    await camera.getByText("Nobody is watching").waitFor();
    const viewers = [await open(url), await open(url)];
    for (const page of viewers) {
      await page.getByText(/[3-9]\d pictures shown/).waitFor(); // so more than one group
      expect(await page.evaluate(topLeftPixel)).not.toEqual([0, 0, 0, 0]);
    }
    program.interrupt();
    expect(await program.exitCode(), program.output).toBe(0);
  });

  test("worker: the streams of a channel, transferred to a worker", async () => {
    const file = join(example.folder("files"), "numbers");
    writeFileSync(file, Array.from({ length: 500_000 }, (_, number) => `${number}\n`).join(""));
    const program = example.start("worker/main.js", file);
    const [, url] = (await program.printed(/Open (\S+)/)) as unknown as [string, string];
    context = await browser.newContext();
    await open(url);
    await program.printed(/3388890 bytes, \d{6,7} compressed, the same again/);
    expect(await program.exitCode(), program.output).toBe(0);
  });
}

function topLeftPixel(): number[] {
  return [...document.querySelector("canvas")!.getContext("2d")!.getImageData(0, 0, 1, 1).data];
}
