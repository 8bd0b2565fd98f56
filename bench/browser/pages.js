/** A Chromium whose pages are ends of a run. */
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { extname, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** @typedef {import("playwright-core").Page} Page */

const usualPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const root = fileURLToPath(new URL("../..", import.meta.url));
const types = { ".js": "text/javascript", ".html": "text/html" };

const html = `<!doctype html>
<script type="importmap">
  { "imports": { "conec": "/conec.browser.js", "conec/webtransport": "/conec.browser.js" } }
</script>
<script type="module" src="/bench/browser/page-role.js"></script>`;

/** @returns {string} @throws Error that says what to do */
function chromiumPath() {
  const path = [process.env["CHROMIUM_PATH"], ...usualPaths].find((each) => each !== undefined && existsSync(each));
  if (path === undefined)
    throw new Error("No Chromium on this machine: install one, or say where it is in CHROMIUM_PATH");
  return path;
}

export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    // The WebSocket has to trust the certificate of the run; WebTransport is given its hash.
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--ignore-certificate-errors"],
  });
  const server = createServer(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const content = contentOf(normalize(pathname));
    const type = types[/** @type {".js"} */ (extname(pathname))] ?? "text/html";
    response.writeHead(content === undefined ? 404 : 200, { "content-type": type }).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    version: browser.version(),
    /** @param {"a" | "b"} name @param {string} file @param {(error: Error) => void} fail */
    open: (name, file, fail) => PageRole.open(browser, `http://localhost:${port}/`, { name, file, fail }),
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** @param {string} path */
function contentOf(path) {
  if (path === "/") return html;
  if (path === "/conec.browser.js") return readFileSync(`${root}dist${path}`);
  return path.startsWith("/bench/") && existsSync(root + path) ? readFileSync(root + path) : undefined;
}

/** A page with the manners of a Role of run.js. */
class PageRole {
  /** @type {(message: any) => void} */
  onMessage = () => {};
  /** @type {number | undefined} */
  workerPid;
  #page;
  #file;
  /** @type {Map<string, (message: any) => void>} */
  #awaited = new Map();

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} url
   * @param {{ name: "a" | "b", file: string, fail: (error: Error) => void }} options
   */
  static async open(browser, url, { name, file, fail }) {
    const page = await (await browser.newContext()).newPage();
    const role = new PageRole(name, page, file, fail);
    await page.exposeFunction("report", (/** @type {any} */ message) => role.#reported(message, fail));
    await page.goto(url);
    await page.waitForFunction(() => "start" in globalThis);
    return role;
  }

  /** @param {"a" | "b"} name @param {Page} page @param {string} file @param {(error: Error) => void} fail */
  constructor(name, page, file, fail) {
    this.name = name;
    this.#page = page;
    this.#file = file;
    page.on("pageerror", fail);
    page.on("crash", () => fail(new Error(`The page of ${name.toUpperCase()} crashed`)));
  }

  /** @param {any} message */
  send(message) {
    if (message.type === "finish") {
      // A page's CPU seconds cannot be told. The answer is awaited after the question.
      queueMicrotask(() => this.#awaited.get("finished")?.({ cpuSeconds: NaN }));
      return;
    }
    const { type, certificate, ...rest } = message;
    const argument = certificate === undefined ? rest : { ...rest, file: this.#file, hash: [...certificate.hash] };
    void this.#page.evaluate(
      (/** @type {{ type: string, argument: object }} */ call) =>
        /** @type {any} */ (globalThis)[call.type](call.argument),
      { type, argument },
    );
  }

  /** @param {string} type @returns {Promise<any>} */
  next(type) {
    return new Promise((resolve) => this.#awaited.set(type, resolve));
  }

  async kill() {
    await this.#page.context().close();
  }

  /** @param {any} message @param {(error: Error) => void} fail */
  #reported(message, fail) {
    if (message.type === "failed") fail(new Error(`The page of ${this.name.toUpperCase()}: ${message.message}`));
    else this.#awaited.get(message.type)?.(message);
  }
}
