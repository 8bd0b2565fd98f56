/** As code-blocks.test.ts, for the pages whose programs are for a browser: those run in Chromium. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build, stop } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, inject, test } from "vitest";

import { launchChromium } from "../support/chromium.ts";
import type { Program } from "../browser/installed-example.ts";
import type { DocsProgram } from "./code-blocks.ts";
import { DocsFolder, needsBrowser, pages } from "./docs-folder.ts";

const chromium = inject("chromium");

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("code blocks in Chromium", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let server: Server;
  let browser: Browser;
  let docs: DocsFolder;
  /** What the server serves beside the public files of a page's folder. */
  let script = "";
  let folder = "";

  beforeAll(async () => {
    server = createServer(async ({ url }, response) => {
      const file =
        url === "/" || url === "/page.js" ? undefined : await readFile(join(folder, "public", url!)).catch(() => "");
      response.setHeader("content-type", url === "/" ? "text/html" : "text/javascript");
      response.end(file ?? (url === "/" ? `<script type="module" src="/page.js"></script>` : script));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    docs = await DocsFolder.create(`http://localhost:${(server.address() as AddressInfo).port}`);
    docs.compile(); // that nothing is wrong is tested in code-blocks.test.ts
    browser = await launchChromium(chromiumPath);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await docs?.close();
  });

  test.each(pages.filter(needsBrowser))("the programs of $name run", async ({ name, programs }) => {
    folder = docs.compiled(name);
    const started = [];
    for (const program of programs.filter(({ noRun }) => noRun === undefined)) {
      const running = program.isForBrowser ? await open(program) : docs.start(name, program);
      started.push({ running, prints: program.prints });
      await running.printed(/\n/);
    }
    for (const { running, prints } of started) await docs.checkPrinted(name, running, prints);
  });

  async function open({ file }: DocsProgram): Promise<Pick<Program, "printed">> {
    const entryPoints = [join(folder, file.replace(/\.ts$/, ".js"))];
    const built = await build({ entryPoints, bundle: true, format: "esm", write: false, logLevel: "error" });
    script = built.outputFiles[0]!.text;
    const page = await browser.newPage();
    let output = "";
    let onOutput = (): void => {};
    let onError!: (error: Error) => void;
    const failed = new Promise<never>((_resolve, reject) => (onError = reject));
    failed.catch(() => {});
    page.on("console", (message) => {
      output += `${message.text()}\n`;
      onOutput();
    });
    page.on("pageerror", onError);
    await page.goto(`${docs.origin}/#alice`); // the id that the guide's page takes from its address
    return {
      async printed(pattern) {
        for (;;) {
          const match = pattern.exec(output);
          if (match !== null) return match;
          await Promise.race([failed, new Promise<void>((resolve) => (onOutput = resolve))]);
        }
      },
    };
  }
}
