/** The live page of a Coordinator, in a real Chromium, while Clients transfer. */
import type { Browser, ConsoleMessage, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { Client } from "../../src/index.ts";
import type { Channel } from "../../src/index.ts";
import { observe } from "../../src/observe/index.ts";
import type { Observer, ObserverServer } from "../../src/observe/index.ts";
import { launchChromium } from "../support/chromium.ts";
import { Hub, next, quicKind, websocketKind } from "../support/hub.ts";

const hostileId = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const plainIds = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"];
// A Client may be called as the Coordinator is, and what is shown in the docs need not be hostile.
const otherIds = process.env["CONEC_SCREENSHOTS"] ? ["judy", "kiosk-7", "lab-3"] : ["coordinator", hostileId, "𝕏 é"];
const ids = [...plainIds, ...otherIds];

const chromium = inject("chromium");

describe.skipIf("missing" in chromium)("the live page", () => {
  let browser: Browser;
  let hub: Hub;
  let observer: Observer;
  let server: ObserverServer;
  const clients = new Map<string, Client>();
  /** What the page has complained of. */
  const complaints: string[] = [];
  const pumps: Pump[] = [];

  beforeAll(async () => {
    browser = await launchChromium((chromium as { path: string }).path);
    hub = await Hub.start(quicKind);
    const websocket = await websocketKind.listen();
    hub.coordinator.serve(websocket.listener);
    for (const [index, id] of ids.entries()) {
      const overWebSocket = { id, transport: websocket.transport };
      const client = index % 4 === 3 ? await Client.connect(websocket.url, overWebSocket) : await hub.join(id);
      clients.set(id, client);
    }
    for (let index = 0; index < ids.length; index += 2) {
      const ends = await hub.link(clients.get(ids[index]!)!, clients.get(ids[index + 1]!)!);
      if (index !== 0) pumps.push(await Pump.start(...ends, 100 * 4 ** (index / 2)));
    }
    observer = observe(hub.coordinator);
    server = await observer.listen();
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(pumps.map((pump) => pump.stop()));
    await observer?.close();
    await Promise.all([...clients.values()].map((client) => client.close()));
    await hub?.close();
  });

  async function open({ colorScheme = "light" }: { colorScheme?: "light" | "dark" } = {}): Promise<Page> {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1400, height: 860 } });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message: ConsoleMessage) => complaints.push(message.text()));
    await page.goto(`http://${server.address.host}:${server.address.port}/`);
    await page.waitForSelector("#nodes circle");
    return page;
  }

  test("shows Clients, channels, streams and rates; names are text, whatever they hold", async () => {
    const page = await open();
    // Rates are there from the second view on.
    await page.waitForSelector("#flows .moving");
    const nodeNames = await page.$$eval("#nodes title", (titles) => titles.map((title) => title.textContent));
    expect([...nodeNames].sort()).toEqual([...ids].sort());
    const rows = await page.$$eval("#client-rows tr td:first-child", (cells) => cells.map((cell) => cell.textContent));
    expect([...rows].sort()).toEqual([...ids].sort());
    const text = async (selector: string): Promise<string | null> => await page.textContent(selector);
    expect(await text("#clients")).toBe("12");
    expect(await text("#channels")).toBe("6");
    expect(await text("#streams")).toBe("5");
    expect(await text("#rate")).toMatch(/^[1-9][\d.]* [kMG]?B\/s$/);
    // Five channels move, all in one direction; the sixth has carried nothing.
    expect(await page.locator("#flows path").count()).toBe(6);
    const idle = page.locator("#channel-rows tr", { hasText: "alice" });
    expect(await idle.locator("td.idle").count()).toBe(2);
    expect(await page.locator("#nodes g.websocket").count()).toBe(3);
    expect(await page.locator("#nodes g.quic").count()).toBe(9);

    expect(await page.title()).toBe("conec");
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.locator("script").count()).toBe(1);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("what is injected is not run: the policy forbids it", async () => {
    const page = await open();
    await page.evaluate(async () => {
      const attempts = [
        () => (document.createElement("script").textContent = "document.title = 'owned'"),
        () => (document.body.innerHTML = "<b>owned</b>"),
        () => fetch("https://example.invalid/"),
      ];
      for (const attempt of attempts) await new Promise((resolve) => resolve(attempt())).catch(() => {});
    });
    for (const what of ["'TrustedScript'", "'TrustedHTML'", "connect-src 'self'"])
      expect(complaints.some((complaint) => complaint.includes(what))).toBe(true);
    expect(await page.title()).toBe("conec");
    complaints.length = 0;
    await page.close();
  });

  test("light and dark, each with colours that can be read", async () => {
    for (const scheme of ["light", "dark"] as const) {
      const page = await open({ colorScheme: scheme });
      const contrasts = await page.evaluate(() => {
        const luminance = (colour: string): number => {
          const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
            const value = Number(part) / 255;
            return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const back = luminance(getComputedStyle(document.body).backgroundColor);
        const colourOf = (selector: string, property: "color" | "fill"): string =>
          getComputedStyle(document.querySelector(selector)!)[property];
        return [colourOf("body", "color"), colourOf("th", "color"), colourOf("#nodes text", "fill")].map((colour) => {
          const [light, dark] = [luminance(colour), back].sort((a, b) => b - a) as [number, number];
          return (light + 0.05) / (dark + 0.05);
        });
      });
      // WCAG 2, success criterion 1.4.3.
      for (const contrast of contrasts) expect(contrast).toBeGreaterThan(4.5);
      if (process.env["CONEC_SCREENSHOTS"]) {
        await page.waitForFunction(
          () => document.querySelector("#history .line")!.getAttribute("d")!.split("L").length > 4,
        );
        await page.screenshot({ path: `docs/live-page${scheme === "dark" ? "-dark" : ""}.png` });
      }
      await page.close();
    }
    expect(complaints).toEqual([]);
  });

  test("who leaves is gone from it, and when the Coordinator does not answer it says so", async () => {
    const page = await open();
    await clients.get("ivan")!.close();
    await page.waitForFunction(() => document.getElementById("clients")!.textContent === "11");
    expect(await page.locator("#nodes title", { hasText: "ivan" }).count()).toBe(0);
    expect(await page.isVisible("#fault")).toBe(false);
    await server.close();
    await page.waitForSelector("#fault:not([hidden])");
    expect(await page.textContent("#fault")).toMatch(/^No figures since /);
    await page.close();
  });
});

/** Writes messages of one size to the other end of a channel, which reads them, about so many bytes a second. */
class Pump {
  #stopped = false;
  readonly #done: Promise<unknown>;

  static async start(from: Channel, to: Channel, size: number): Promise<Pump> {
    const writable = await from.createUnidirectionalStream();
    const readable = await next(to.incomingUnidirectionalStreams);
    return new Pump(writable.getWriter(), readable, Math.min(size, 100_000));
  }

  private constructor(
    writer: WritableStreamDefaultWriter<Uint8Array>,
    readable: ReadableStream<Uint8Array>,
    size: number,
  ) {
    const write = async (): Promise<void> => {
      while (!this.#stopped) {
        await writer.write(new Uint8Array(size));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await writer.close();
    };
    const read = async (): Promise<void> => {
      for await (const message of readable) if (message.length !== size) throw new Error("A message is not whole");
    };
    // One of the Clients may have left.
    this.#done = Promise.allSettled([write(), read()]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}
