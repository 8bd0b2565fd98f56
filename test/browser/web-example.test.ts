/**
 * The web example as its users have it: two tabs in Chromium and folders in Node, on an installed conec.
 *
 * With CONEC_SCREENSHOTS=1 it also takes the pictures in docs/.
 */
import { createHash, randomFillSync } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Download, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { launchChromium } from "../support/chromium.ts";
import { InstalledExample } from "./installed-example.ts";
import type { Program } from "./installed-example.ts";

const chromium = inject("chromium");

/** Much longer than anything takes here: 100 MB go in seconds. */
const waitMs = 100_000;
const testMs = 120_000;

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("the web example", () => suite(chromium.path), testMs);

function suite(chromiumPath: string): void {
  let example: InstalledExample;
  let server: Program;
  let url: string;
  let browser: Browser;
  let context: BrowserContext;
  let into: string;
  let ann: Page;
  let bob: Page;
  /** Files to send: paths and SHA-256. */
  let files: TestFile[];
  /** Tabs that a test opened for itself. */
  const opened: Page[] = [];

  beforeAll(async () => {
    example = new InstalledExample();
    into = example.folder("received");
    files = createFiles(example.folder("files"));
    server = example.start("web/main.js", "--port", "0", "--into", into);
    [, url] = (await server.printed(/Open (\S+) in two tabs[^]*Files for "files"/)) as unknown as [string, string];
    browser = await launchChromium(chromiumPath);
    context = await browser.newContext({ viewport: { width: 1180, height: 800 } });
    context.setDefaultTimeout(waitMs);
    await context.newPage(); // stays: see BrowserPages
    ann = await openAs("Ann");
    bob = await openAs("Bob");
    await ann.getByText("Bob", { exact: true }).waitFor();
  }, testMs);

  afterAll(async () => {
    await browser?.close();
    await example?.close();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((page) => page.close()));
  });

  async function openAs(name: string): Promise<Page> {
    const page = await context.newPage();
    page.on("filechooser", () => {}); // from now on, so that a key that opens one does not come first
    await page.goto(`${url}/?name=${encodeURIComponent(name)}`);
    await page.getByText("Connected to").waitFor();
    return page;
  }

  async function openForTest(name: string): Promise<Page> {
    const page = await openAs(name);
    opened.push(page);
    return page;
  }

  /** Accepts a file in a tab, and gives what was downloaded. */
  async function acceptAndSave(page: Page, { name, sha256 }: TestFile): Promise<void> {
    const download = await downloadAfter(page, () => page.getByRole("button", { name: `Accept ${name}` }).click());
    expect(download.suggestedFilename()).toBe(name);
    expect(sha256Of(await download.path())).toBe(sha256);
    await expectDone(page, { name, sha256 });
  }

  test("everyone sees who is there, as they come, are renamed and go", async () => {
    expect(await namesIn(ann)).toEqual(["files", "Bob"]);
    expect(await namesIn(bob)).toEqual(["files", "Ann"]);
    const carol = await openAs("Ann");
    await ann.getByText("Ann 2", { exact: true }).waitFor();
    expect(await carol.getByLabel("You are").inputValue()).toBe("Ann 2");
    await carol.getByLabel("You are").fill("Carol");
    await carol.keyboard.press("Enter");
    await ann.getByText("Carol", { exact: true }).waitFor();
    await carol.close();
    await ann.getByText("Carol", { exact: true }).waitFor({ state: "detached" });
    expect(await namesIn(ann)).toEqual(["files", "Bob"]);
  });

  test("0 B, 1 B and 100 MB from tab to tab", async () => {
    await ann.getByLabel("Send a file to Bob").setInputFiles(files.map(({ path }) => path));
    for (const file of files) {
      await acceptAndSave(bob, file);
      await expectDone(ann, file);
    }
  });

  test("0 B, 1 B and 100 MB from a tab into a folder, twice, and nothing is overwritten", async () => {
    const small = files.slice(0, 2);
    for (const file of [...files, ...small]) {
      const before = await transfersIn(ann).count();
      await ann.getByLabel("Send a file to files").setInputFiles(file.path);
      await expect.poll(() => transfersIn(ann).count()).toBe(before + 1);
      await expectDone(ann, file);
    }
    const received = readdirSync(into).map((name) => [name, sha256Of(join(into, name))]);
    const again = small.map(({ name, sha256 }) => [name.replace(".bin", " (1).bin"), sha256]);
    const expected = [...files.map(({ name, sha256 }) => [name, sha256]), ...again];
    expect(Object.fromEntries(received)).toEqual(Object.fromEntries(expected));
  });

  test("0 B, 1 B and 100 MB from Node to a tab", async () => {
    for (const file of files) {
      const args = ["--page", url, "--as", "Dora", "--send", file.path, "--to", "Bob"];
      const sender = example.start("web/folder-client.js", ...args);
      await acceptAndSave(bob, file);
      expect(await sender.exitCode()).toBe(0);
      expect(sender.output).toContain(`SHA-256 ${file.sha256}, equal at both ends`);
    }
  });

  test("a file that is dropped on a name", async () => {
    const name = "dropped.txt";
    const data = await ann.evaluateHandle((name) => {
      const data = new DataTransfer();
      data.items.add(new File(["dropped"], name));
      return data;
    }, name);
    const card = ann.locator(".person", { hasText: "Bob" });
    await card.dispatchEvent("dragenter", { dataTransfer: data });
    expect(await card.getAttribute("class")).toContain("over");
    await card.dispatchEvent("drop", { dataTransfer: data });
    expect(await card.getAttribute("class")).not.toContain("over");
    const sha256 = createHash("sha256").update("dropped").digest("hex");
    await acceptAndSave(bob, { name, sha256, path: "" });
  });

  test("by keyboard alone", async () => {
    const name = "typed.txt";
    await ann.getByLabel("You are").focus();
    await ann.keyboard.press("Tab"); // to the first of the list: files
    await ann.keyboard.press("Tab");
    await chooseByEnter(ann, name);

    await bob.getByRole("button", { name: `Accept ${name}` }).waitFor();
    expect(await bob.locator("#announcer").textContent()).toBe(`Ann wants to send you ${name}, 5 bytes`);
    await bob.getByLabel("You are").focus();
    await bob.keyboard.press("Tab");
    await bob.keyboard.press("Tab"); // from Accept to Decline
    await bob.keyboard.press("Enter");
    await expectProblem(ann, name, "Bob does not want it.");
    expect(await bob.evaluate(() => document.activeElement?.id)).toBe("people-title");

    await chooseByEnter(ann, "again.txt");
    await bob.getByRole("button", { name: "Accept again.txt" }).waitFor();
    await bob.getByLabel("You are").focus();
    await bob.keyboard.press("Tab");
    const download = await downloadAfter(bob, () => bob.keyboard.press("Enter"));
    expect(readFileSync(await download.path(), "utf8")).toBe("typed");
    await expectDone(bob, { name: "again.txt", sha256: createHash("sha256").update("typed").digest("hex") });
  });

  test("an offer that is taken back", async () => {
    const carol = await openForTest("Carol");
    await carol.getByLabel("Send a file to Bob").setInputFiles(files[1]!.path);
    const accept = bob.getByRole("button", { name: `Accept ${files[1]!.name} from Carol` });
    await accept.waitFor();
    await carol.getByRole("button", { name: `Cancel ${files[1]!.name}` }).click();
    await accept.waitFor({ state: "detached" });
    await expectProblem(bob, files[1]!.name, "Carol took the offer back.");
    await expectProblem(carol, files[1]!.name, "Cancelled here.");
  });

  test.each(["sender", "receiver"])("cancelled midway by the %s", async (who) => {
    const large = files[2]!;
    await ann.getByLabel("Send a file to Bob").setInputFiles(large.path);
    await bob.getByRole("button", { name: `Accept ${large.name}` }).click();
    const [stopper, other, name] = who === "sender" ? [ann, bob, "Ann"] : [bob, ann, "Bob"];
    await midway(other);
    await stopper.getByRole("button", { name: `Cancel ${large.name}` }).click();
    await expectProblem(other, large.name, new RegExp(`^${name} cancelled, after .* of 100 MB\\.$`));
    await expectProblem(stopper, large.name, /^Cancelled here, after .* of 100 MB\.$/);
  });

  test("cancelled midway, a folder keeps nothing of it", async () => {
    const before = readdirSync(into);
    await ann.getByLabel("Send a file to files").setInputFiles(files[2]!.path);
    await midway(ann);
    await ann.getByRole("button", { name: `Cancel ${files[2]!.name}` }).click();
    await server.printed(/from Ann: Ann cancelled/);
    expect(readdirSync(into)).toEqual(before);
  });

  test("a tab that is closed midway", async () => {
    const carol = await openAs("Carol");
    await ann.getByLabel("Send a file to Carol").setInputFiles(files[2]!.path);
    await carol.getByRole("button", { name: `Accept ${files[2]!.name}` }).click();
    await midway(ann);
    await carol.close();
    await expectProblem(ann, files[2]!.name, /^Carol is gone, after .* of 100 MB\.$/);
  });

  test("a page without WebTransport says so", async () => {
    const page = await context.newPage();
    opened.push(page);
    await page.addInitScript("delete globalThis.WebTransport");
    await page.goto(url);
    await page.getByRole("alert").getByText("This browser lacks what is needed").waitFor();
  });

  const pictures = async (): Promise<void> => {
    const docs = fileURLToPath(new URL("../../docs", import.meta.url));
    const page = await openForTest("Dora");
    await openForTest("Carol");
    await page.getByLabel("Send a file to files").setInputFiles(files[2]!.path);
    await expectDone(page, files[2]!);
    await page.getByLabel("Send a file to Bob").setInputFiles(files[2]!.path);
    await bob.getByRole("button", { name: `Accept ${files[2]!.name} from Dora` }).click();
    await midway(page);
    await ann.getByLabel("Send a file to Dora").setInputFiles(files[1]!.path);
    await page.getByRole("button", { name: `Accept ${files[1]!.name}` }).waitFor();
    await page.evaluate(pose);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const path = join(docs, `web-example${colorScheme === "dark" ? "-dark" : ""}.png`);
      await page.screenshot({ path, fullPage: true });
    }
  };
  if (process.env["CONEC_SCREENSHOTS"] === "1") test("pictures for the docs", pictures);

  test("Ctrl-C ends it, and the tabs say so", async () => {
    const folder = example.start("web/folder-client.js", "--page", url, "--as", "Fay", "--into", into);
    await ann.getByText("Fay", { exact: true }).waitFor();
    server.interrupt();
    expect(await server.exitCode()).toBe(0);
    await ann.getByRole("alert").getByText("The Coordinator is gone").waitFor();
    expect(await ann.locator(".person").count()).toBe(0);
    await ann.getByRole("button", { name: "Connect again" }).click();
    await ann.getByRole("alert").getByText("The Coordinator is gone").waitFor();
    expect(await folder.exitCode()).toBe(0);
    expect(folder.output).toContain("The Coordinator is gone");
  });
}

interface TestFile {
  name: string;
  path: string;
  sha256: string;
}

function createFiles(folder: string): TestFile[] {
  const sizes = { "empty.bin": 0, "one byte.bin": 1, "large.bin": 100_000_000 };
  return Object.entries(sizes).map(([name, size]) => {
    const path = join(folder, name);
    writeFileSync(path, randomFillSync(new Uint8Array(size)));
    return { name, path, sha256: sha256Of(path) };
  });
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

async function namesIn(page: Page): Promise<string[]> {
  return await page.locator(".person .name").allTextContents();
}

function transfersIn(page: Page): Locator {
  return page.locator(".transfer");
}

async function downloadAfter(page: Page, act: () => Promise<void>): Promise<Download> {
  const [download] = await Promise.all([page.waitForEvent("download"), act()]);
  return download;
}

/** Enter on what has the focus opens the choice of a file; this is chosen. */
async function chooseByEnter(page: Page, name: string): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles({ name, mimeType: "text/plain", buffer: Buffer.from("typed") });
}

/** The newest transfer of this file says that it is done, with the same checksum at both ends. */
async function expectDone(page: Page, { name, sha256 }: Pick<TestFile, "name" | "sha256">): Promise<void> {
  const transfer = transfersIn(page).filter({ hasText: name }).first();
  await transfer.getByText("Same checksum at both ends.").waitFor();
  expect(await transfer.locator("code").allTextContents()).toEqual([sha256, sha256]);
}

async function expectProblem(page: Page, name: string, problem: string | RegExp): Promise<void> {
  const status = transfersIn(page).filter({ hasText: name }).first().locator(".status");
  await status.getByText(problem).waitFor();
}

/** Resolves when the newest transfer has begun to move, but is not at its end. */
async function midway(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const { value } = document.querySelector<HTMLProgressElement>(".transfer.moving progress") ?? { value: 0 };
    return value > 0.02;
  });
}

/** In the page: makes it stand still, and shows the same whenever and wherever it runs. */
function pose(): void {
  const setText = (selector: string, text: string): void => {
    for (const element of document.querySelectorAll(selector)) element.textContent = text;
  };
  const main = document.querySelector("main")!;
  main.replaceWith(main.cloneNode(true)); // nothing changes a copy any more
  document.querySelector<HTMLProgressElement>(".moving progress")!.value = 0.42;
  setText(".file", "holiday.mov");
  setText(".what strong", "map.pdf");
  setText(".what .size", "1.2 MB");
  setText(".moving .status", "42 MB of 100 MB, 12 MB/s, 5 s to go");
  setText(".done .status", "Sent: 100 MB in 8 s, 12 MB/s. Same checksum at both ends.");
  setText("code", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
  setText("#connection", "Connected to https://127.0.0.1:4433 by WebTransport; certificate 4d1f0c1b7a9e52c8…");
}
