/** "Two tabs that talk" of docs/guides/browser.md, as a new user follows it, in an empty folder, with the packed package. */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import type { Program } from "../browser/installed-example.ts";
import { launchChromium } from "../support/chromium.ts";
import { NewUser, quickStart } from "./new-user.ts";

const start = quickStart("docs/guides/browser.md", "Two tabs that talk");
const chromium = inject("chromium");

test("the steps are those that are tried here", () => {
  expect(start.files.map(({ name }) => name)).toEqual(["coordinator.mjs", "index.html", "page.js"]);
  expect(start.commands).toEqual([
    ["npm init -y && npm install conec && npm install --save-dev vite"],
    ["node coordinator.mjs", "npx vite"],
    ["npx vite build", "npx vite preview --port 5173"],
  ]);
});

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("in Chromium", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let user: NewUser;
  let browser: Browser;
  const pages: Page[] = [];

  beforeAll(async () => {
    user = await NewUser.create("4433", "5173");
    user.install("vite");
    user.write(start);
    await user.run("coordinator.mjs").printed(/^ready$/m);
    browser = await launchChromium(chromiumPath);
  }, 120_000);
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await user.close();
  });

  test("on Vite's server", async () => {
    const server = vite("--port", user.here("5173"), "--strictPort");
    await server.printed(/ready in/);
    await talk();
    await server.end();
  });

  test("built by Vite, on a server of files", async () => {
    expect(await vite("build").exitCode()).toBe(0);
    const server = vite("preview", "--port", user.here("5173"), "--strictPort");
    await server.printed(/Local:/);
    await talk();
    await server.end();
  });

  function vite(...args: string[]): Program {
    return user.run(join("node_modules", "vite", "bin", "vite.js"), ...args);
  }

  async function talk(): Promise<void> {
    const alice = await open("http://localhost:5173/#alice");
    const bob = await open("http://localhost:5173/#bob");
    await alice.getByText("Hello alice").waitFor();
    await bob.getByText("Hello bob").waitFor();
  }

  async function open(url: string): Promise<Page> {
    const page = await browser.newPage();
    pages.push(page);
    const connected = page.waitForEvent("console", (message) => message.text() === "connected to coordinator");
    await Promise.all([connected, page.goto(user.here(url))]);
    return page;
  }
}
