/** Clients in Chromium where no UDP gets through: over WebSocket, through a Coordinator, to a Client in Node. */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { Client, Coordinator } from "../../src/index.ts";
import type { AuthenticateRequest, Channel } from "../../src/index.ts";
import type { websocket as browserWebSocket } from "../../src/transports/websocket/browser.ts";
import { listen, websocket } from "../../src/transports/websocket/node/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { launchChromium } from "../support/chromium.ts";
import { next, rejection } from "../support/hub.ts";

type Conec = typeof conec & { websocket: typeof browserWebSocket };

const chromium = inject("chromium");
const authority = createAuthority();
const { cert, key } = authority.issue();

/** 20 MB in messages whose bytes follow from their place. */
const messageCount = 400;
const messageBytes = 50_000;
/** Windows, buffers of sockets at both ends, and what is read ahead. */
const maxUnreadBytes = 16 * 1024 * 1024;

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("Chromium over WebSocket", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  const pageServer = createServer();
  let browser: Browser;
  /** Trusts any certificate. */
  let context: BrowserContext;
  let origin: string;
  let page: Page;
  let coordinator: Coordinator;
  let url: string;
  let asked: AuthenticateRequest[];
  let node: Client;

  beforeAll(async () => {
    const script = await bundle();
    pageServer.on("request", ({ url }, response) => {
      const isPage = url === "/";
      response.writeHead(200, { "content-type": `${isPage ? "text/html" : "text/javascript"}; charset=utf-8` });
      response.end(
        isPage ? '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>' : script,
      );
    });
    await new Promise<void>((resolve) => pageServer.listen(0, "127.0.0.1", resolve));
    origin = `http://localhost:${(pageServer.address() as AddressInfo).port}`;
    browser = await launchChromium(chromiumPath);
    context = await browser.newContext({ ignoreHTTPSErrors: true });
    await context.newPage(); // stays, so that a tab that is closed is not the last one
  });

  afterAll(async () => {
    await browser?.close();
    pageServer.closeAllConnections();
    await new Promise((resolve) => pageServer.close(resolve));
  });

  beforeEach(async () => {
    asked = [];
    coordinator = new Coordinator({
      // A tab that is gone cannot be told from one whose network is: it is not waited for long.
      limits: { resumeWindowMs: 500 },
      authenticate: (request) => {
        asked.push(request);
        return { id: request.requestedId };
      },
    });
    const listener = await listen({ host: "127.0.0.1", cert, key, allowedOrigins: [origin] });
    coordinator.serve(listener);
    url = `https://127.0.0.1:${listener.address.port}/rooms/7?key=x`;
    node = await Client.connect(url, { transport: websocket({ ca: authority.ca }), id: "node" });
    page = await open(context);
  });

  afterEach(async () => {
    await page.close();
    await node.close();
    await coordinator.close();
  });

  async function open(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(origin);
    await page.waitForFunction(() => "conec" in globalThis);
    return page;
  }

  /** The page joins as `"page"` and gets a channel to the Node Client, whose end this returns. */
  async function link(): Promise<Channel> {
    await page.evaluate(joinAsPage, { url, headStartMs: 0 });
    await coordinator.introduce("page", "node");
    await page.evaluate(async () => {
      const { value } = await tab.client.incomingChannels.getReader().read();
      tab.channel = value!;
    });
    return await next(node.incomingChannels);
  }

  test("joins when nothing listens on UDP, and the Coordinator is told path and origin", async () => {
    const transport = await page.evaluate(joinAsPage, { url, headStartMs: 1_000_000 });
    expect(transport).toBe("websocket");
    expect(asked.find(({ requestedId }) => requestedId === "page")).toMatchObject({
      transport: "websocket",
      remote: { host: "127.0.0.1", path: "/rooms/7?key=x", origin },
    });
  });

  test("joins when UDP is swallowed, after the head start of WebTransport", async () => {
    const hole = createSocket("udp4");
    await new Promise<void>((resolve) => hole.bind(Number(new URL(url).port), "127.0.0.1", resolve));
    const swallowed = new Promise((resolve) => hole.once("message", resolve));
    expect(await page.evaluate(joinAsPage, { url, headStartMs: 200 })).toBe("websocket");
    await swallowed;
    await new Promise<void>((resolve) => hole.close(resolve));
  });

  test("joins at once in a browser without WebTransport", async () => {
    await page.evaluate(() => Reflect.deleteProperty(globalThis, "WebTransport"));
    expect(await page.evaluate(joinAsPage, { url, headStartMs: 1_000_000 })).toBe("websocket");
  });

  test("20 MB from the page arrive in Node, byte for byte", async () => {
    const channel = await link();
    const sending = page.evaluate(sendMany, { messageCount, messageBytes });
    const sha = createHash("sha256");
    for await (const message of await next(channel.incomingUnidirectionalStreams)) sha.update(message);
    expect(sha.digest("hex")).toBe(shaOfMany());
    await sending;
  });

  test("20 MB from Node arrive in the page, byte for byte", async () => {
    const channel = await link();
    const receiving = page.evaluate(async () => {
      const { value } = await tab.channel.incomingUnidirectionalStreams.getReader().read();
      const bytes = new Uint8Array(20_000_000);
      let length = 0;
      for await (const message of value!) {
        bytes.set(message, length);
        length += message.length;
      }
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(0, length)));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    });
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    for (let index = 0; index < messageCount; index += 1) await writer.write(messageAt(index));
    await writer.close();
    expect(await receiving).toBe(shaOfMany());
  });

  test("a page that stops reading makes the Node writer wait, and nobody else", async () => {
    const channel = await link();
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    const stalled = pushing(writer);
    await page.evaluate(async () => {
      tab.streams = tab.channel.incomingUnidirectionalStreams.getReader();
      tab.stalled = (await tab.streams.read()).value!;
    });
    const accepted = await atRest(async () => stalled.accepted);
    expect(accepted).toBeLessThan(maxUnreadBytes);

    // Another stream runs on.
    const reading = page.evaluate(async () => {
      let length = 0;
      for await (const message of (await tab.streams.read()).value!) length += message.length;
      return length;
    });
    const other = (await channel.createUnidirectionalStream()).getWriter();
    for (let index = 0; index < 100; index += 1) await other.write(messageAt(index));
    await other.close();
    expect(await reading).toBe(100 * messageBytes);
    expect(stalled.accepted).toBe(accepted);

    // And this one goes on where it stopped.
    const rest = page.evaluate(async () => {
      let length = 0;
      for await (const message of tab.stalled) length += message.length;
      return length;
    });
    stalled.stop = true;
    await stalled.done;
    expect(await rest).toBe(stalled.accepted);
  });

  test("a Node reader that stops makes the page wait", async () => {
    const channel = await link();
    await page.evaluate(async () => {
      const writer = (await tab.channel.createUnidirectionalStream()).getWriter();
      tab.accepted = 0;
      tab.stop = false;
      tab.pushing = (async () => {
        while (!tab.stop) {
          await writer.write(new Uint8Array(50_000));
          tab.accepted += 50_000;
        }
        await writer.close();
      })();
    });
    const readable = await next(channel.incomingUnidirectionalStreams);
    expect(await atRest(() => page.evaluate(() => tab.accepted))).toBeLessThan(maxUnreadBytes);
    await page.evaluate(() => void (tab.stop = true));
    let length = 0;
    for await (const message of readable) length += message.length;
    const accepted = await page.evaluate(async () => {
      await tab.pushing;
      return tab.accepted;
    });
    expect(length).toBe(accepted);
  });

  test("an abort and a cancel of the page reach Node with text and code", async () => {
    const channel = await link();
    const inPage = page.evaluate(async () => {
      const writer = (await tab.channel.createUnidirectionalStream()).getWriter();
      await writer.write(new Uint8Array(10));
      void writer.abort(Object.assign(new Error("out of paper ☾"), { streamErrorCode: 4_000_000_000 }));
      const { value } = await tab.channel.incomingUnidirectionalStreams.getReader().read();
      void value!.cancel(Object.assign(new Error("seen enough"), { streamErrorCode: 300 }));
    });
    const readable = await next(channel.incomingUnidirectionalStreams);
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    const [aborted, cancelled] = await Promise.all([
      rejection(readable.pipeTo(new WritableStream())),
      rejection(writer.closed),
    ]);
    await inPage;
    expect(aborted).toMatchObject({ code: "aborted", message: "out of paper ☾", streamErrorCode: 4_000_000_000 });
    expect(cancelled).toMatchObject({ code: "cancelled", message: "seen enough", streamErrorCode: 300 });
  });

  test("an abort and a cancel of Node reach the page with text and code", async () => {
    const channel = await link();
    const inPage = page.evaluate(async () => {
      const writable = await tab.channel.createUnidirectionalStream();
      const { value } = await tab.channel.incomingUnidirectionalStreams.getReader().read();
      const errors = await Promise.allSettled([value!.pipeTo(new WritableStream()), writable.getWriter().closed]);
      return errors.map((each) => {
        if (each.status === "fulfilled") return each;
        const { code, message, streamErrorCode } = each.reason as InstanceType<typeof conec.ConecError>;
        return { code, message, streamErrorCode };
      });
    });
    const writable = await channel.createUnidirectionalStream();
    await writable.abort(Object.assign(new Error("no ink"), { streamErrorCode: 4_000_000_000 }));
    const readable = await next(channel.incomingUnidirectionalStreams);
    await readable.cancel(Object.assign(new Error("no need"), { streamErrorCode: 8 }));
    expect(await inPage).toEqual([
      { code: "aborted", message: "no ink", streamErrorCode: 4_000_000_000 },
      { code: "cancelled", message: "no need", streamErrorCode: 8 },
    ]);
  });

  test("a tab that is closed in mid-transfer is peer-lost in Node, for its reader and its writer", async () => {
    const channel = await link();
    const tabSends = page.evaluate(sendMany, { messageCount: 1_000_000, messageBytes });
    tabSends.catch(() => {});
    const readable = await next(channel.incomingUnidirectionalStreams);
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    const reader = readable.getReader();
    for (let index = 0; index < 50; index += 1) await reader.read();
    await page.close();
    const reading = (async () => {
      while (!(await reader.read()).done);
    })();
    for (const broken of [reading, writer.closed, channel.closed]) {
      expect(await rejection(broken)).toMatchObject({ code: "peer-lost" });
    }
  });

  test("a certificate that the browser does not trust and a refused origin are unreachable", async () => {
    const attempt = (target: string) =>
      (conec as Conec)
        .websocket()
        .connect(target)
        .then(
          (connection) => connection.transport,
          (error: InstanceType<typeof conec.ConecError>) => error.code,
        );
    expect(await page.evaluate(attempt, url)).toBe("websocket");
    const strict = await browser.newContext();
    expect(await (await open(strict)).evaluate(attempt, url)).toBe("unreachable");
    await strict.close();
    const elsewhere = await listen({ host: "127.0.0.1", cert, key, allowedOrigins: ["https://elsewhere.example"] });
    expect(await page.evaluate(attempt, `https://127.0.0.1:${elsewhere.address.port}`)).toBe("unreachable");
    await elsewhere.close();
  });
}

/** What the page runs. */
async function bundle(): Promise<string> {
  const contents = `
    import { Client, ConecError } from "../../src/index.ts";
    import { webtransport } from "../../src/transports/webtransport/index.ts";
    import { websocket } from "../../src/transports/websocket/browser.ts";
    globalThis.conec = { Client, ConecError, webtransport, websocket };`;
  const resolveDir = fileURLToPath(new URL(".", import.meta.url));
  const { outputFiles } = await build({ stdin: { contents, resolveDir }, bundle: true, format: "esm", write: false });
  await stop();
  return outputFiles[0]!.text;
}

async function joinAsPage({ url, headStartMs }: { url: string; headStartMs: number }): Promise<string> {
  const { Client, webtransport, websocket } = conec as Conec;
  const client = await Client.connect(url, { transport: [webtransport(), websocket()], headStartMs, id: "page" });
  globalThis.tab = { client } as typeof tab;
  return (await client.getStats()).transport;
}

async function sendMany({ messageCount, messageBytes }: { messageCount: number; messageBytes: number }): Promise<void> {
  const writer = (await tab.channel.createUnidirectionalStream()).getWriter();
  for (let index = 0; index < messageCount; index += 1) {
    const bytes = new Uint8Array(messageBytes);
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = index * 31 + at * 7;
    await writer.write(bytes);
  }
  await writer.close();
}

function messageAt(index: number): Uint8Array {
  return Uint8Array.from({ length: messageBytes }, (_, at) => index * 31 + at * 7);
}

function shaOfMany(): string {
  const sha = createHash("sha256");
  for (let index = 0; index < messageCount; index += 1) sha.update(messageAt(index));
  return sha.digest("hex");
}

/** Writes until it is told to stop. */
function pushing(writer: WritableStreamDefaultWriter<Uint8Array>) {
  const state = { accepted: 0, stop: false, done: Promise.resolve() };
  state.done = (async () => {
    while (!state.stop) {
      await writer.write(new Uint8Array(messageBytes));
      state.accepted += messageBytes;
    }
    await writer.close();
  })();
  state.done.catch(() => {});
  return state;
}

/** A figure, once it has not changed for 300 ms. */
async function atRest(read: () => Promise<number>): Promise<number> {
  let last = -1;
  for (let unchanged = 0; unchanged < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const now = await read();
    unchanged = now === last ? unchanged + 1 : 0;
    last = now;
  }
  return last;
}
