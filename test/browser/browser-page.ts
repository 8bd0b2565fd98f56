import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";

import { launchChromium } from "../support/chromium.ts";

const html = `<!doctype html><meta charset="utf-8"><title>conec</title>
<script type="module" src="/page.js"></script>`;

/** A Chromium, and pages of a server on localhost in which conec is loaded as `globalThis.conec` (see page.ts). */
export class BrowserPages {
  readonly http: Server;
  readonly #browser: Browser;
  readonly #context: BrowserContext;

  static async start(chromiumPath: string, options?: { backForwardCache: boolean }): Promise<BrowserPages> {
    const script = await bundle();
    const http = createServer(({ url }, response) => {
      const content = url === "/" ? html : url === "/page.js" ? script : undefined;
      const type = url === "/" ? "text/html" : "text/javascript";
      response.writeHead(content === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
      response.end(content);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const browser = await launchChromium(chromiumPath, options);
    const context = await browser.newContext();
    return new BrowserPages(http, browser, context);
  }

  private constructor(http: Server, browser: Browser, context: BrowserContext) {
    this.http = http;
    this.#browser = browser;
    this.#context = context;
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

  /** The ids of all processes of this Chromium. */
  async processes(): Promise<number[]> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.map(({ id }) => id);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}

/** page.ts with all that it imports: always the `src` of now. */
async function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL("page.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false });
  await stop();
  return outputFiles[0]!.text;
}
