import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";

import { launchChromium } from "../support/chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const html = `<!doctype html><meta charset="utf-8"><title>conec</title>
<script type="importmap">{ "imports": {
  "conec": "/conec/index.js",
  "conec/webtransport": "/conec/transports/webtransport/index.js",
  "valibot": "/node_modules/valibot/dist/index.mjs"
} }</script>
<script type="module" src="/test/browser/page.js"></script>`;

/** A Chromium, and pages of a server on localhost in which conec is loaded as `globalThis.conec` (see page.js). */
export class BrowserPages {
  readonly http: Server;
  readonly #browser: Browser;
  /**
   * One profile for all pages, with a page that stays: a tab that is closed says goodbye to its server, but Chromium
   * may end the last one of a profile without a word.
   */
  readonly #context: BrowserContext;
  readonly #built: string;

  static async start(chromiumPath: string): Promise<BrowserPages> {
    // A build of its own: the one in dist may be an old one, or in the making.
    const built = mkdtempSync(join(tmpdir(), "conec-browser-"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = [
      "-p",
      "tsconfig.build.json",
      "--outDir",
      built,
      "--declaration",
      "false",
      "--declarationMap",
      "false",
    ];
    spawnSync(process.execPath, [tsc, ...options], { cwd: root });
    const http = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const content = pathname === "/" ? html : fileAt(pathname, built);
      const type = pathname === "/" ? "text/html" : "text/javascript";
      response.writeHead(content === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
      response.end(content);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const browser = await launchChromium(chromiumPath);
    const context = await browser.newContext();
    await context.newPage();
    return new BrowserPages(http, browser, context, built);
  }

  private constructor(http: Server, browser: Browser, context: BrowserContext, built: string) {
    this.http = http;
    this.#browser = browser;
    this.#context = context;
    this.#built = built;
  }

  /** Of the pages. `localhost` is a secure context without a certificate. */
  get origin(): string {
    return `http://localhost:${(this.http.address() as AddressInfo).port}`;
  }

  /** A new tab in which conec is loaded. */
  async open(): Promise<Page> {
    const page = await this.#context.newPage();
    const broken = new Promise<never>((_resolve, reject) => page.once("pageerror", reject));
    broken.catch(() => {});
    await page.goto(this.origin);
    await Promise.race([page.waitForFunction(() => "conec" in globalThis), broken]);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
    rmSync(this.#built, { recursive: true, force: true });
  }
}

function fileAt(pathname: string, built: string): Buffer | undefined {
  const path = normalize(pathname);
  const folders = { "/conec/": built, "/test/browser/": join(root, "test", "browser"), "/node_modules/valibot/": "" };
  const folder = Object.entries(folders).find(([prefix]) => path.startsWith(prefix));
  if (folder === undefined) return undefined;
  const [prefix, target] = folder;
  try {
    return readFileSync(target === "" ? join(root, path) : join(target, path.slice(prefix.length)));
  } catch {
    return undefined;
  }
}
