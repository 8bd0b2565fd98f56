/** Clients in Chromium and in Node at one Coordinator, on one UDP port: the promises of docs/architecture.md. */
import { createHash } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { Client, Coordinator } from "../../src/index.ts";
import type { AuthenticateRequest, Channel } from "../../src/index.ts";
import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import { next, rejection } from "../support/hub.ts";
import { BrowserPages } from "./browser-page.ts";

const chromium = inject("chromium");
const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
const hashList = [...hash];

/** 20 MB in messages whose bytes follow from their place. */
const messageCount = 400;
const messageBytes = 50_000;

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("Chromium at a Coordinator", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let pages: BrowserPages;
  let page: Page;
  let coordinator: Coordinator;
  let url: string;
  let asked: AuthenticateRequest[];
  let node: Client;

  beforeAll(async () => {
    pages = await BrowserPages.start(chromiumPath);
  });

  afterAll(async () => {
    await pages?.close();
  });

  beforeEach(async () => {
    asked = [];
    coordinator = new Coordinator({
      authenticate: (request) => {
        asked.push(request);
        return { id: request.requestedId };
      },
    });
    const listener = await listen({ host: "127.0.0.1", cert, key, allowedOrigins: [pages.origin] });
    coordinator.serve(listener);
    url = `https://127.0.0.1:${listener.address.port}/rooms/7?key=x`;
    const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
    node = await Client.connect(url, { transport, id: "node" });
    page = await pages.open();
  });

  afterEach(async () => {
    await page.close();
    await node.close();
    await coordinator.close();
  });

  /** The page joins as `"page"` and gets a channel to the Node Client, whose end this returns. */
  async function link(): Promise<Channel> {
    await page.evaluate(joinAsPage, { url, hash: hashList });
    await coordinator.introduce("page", "node");
    await page.evaluate(async () => {
      const { value } = await tab.client.incomingChannels.getReader().read();
      tab.channel = value!;
    });
    return await next(node.incomingChannels);
  }

  test("tells the Coordinator path and origin", async () => {
    await page.evaluate(joinAsPage, { url, hash: hashList });
    const request = asked.find(({ requestedId }) => requestedId === "page");
    expect(request).toMatchObject({
      transport: "webtransport",
      remote: { host: "127.0.0.1", path: "/rooms/7?key=x", origin: pages.origin },
    });
    expect(asked[0]).toMatchObject({ transport: "quic", requestedId: "node" });
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

  test("50 streams at once in both directions", async () => {
    const channel = await link();
    const inPage = page.evaluate(async () => {
      const sending = Array.from({ length: 50 }, async (_, index) => {
        const writer = (await tab.channel.createUnidirectionalStream({ name: `page ${index}` })).getWriter();
        for (let part = 0; part < 20; part += 1) await writer.write(new Uint8Array(1000 * part).fill(index));
        await writer.close();
      });
      const seen: string[] = [];
      const reader = tab.channel.incomingUnidirectionalStreams.getReader();
      const receiving = Array.from({ length: 50 }, async () => {
        const { value } = await reader.read();
        let length = 0;
        for await (const message of value!) length += message.length;
        seen.push(`${value!.name} ${length}`);
      });
      await Promise.all([...sending, ...receiving]);
      return seen;
    });
    const sending = Array.from({ length: 50 }, async (_, index) => {
      const writer = (await channel.createUnidirectionalStream({ name: `node ${index}` })).getWriter();
      for (let part = 0; part < 20; part += 1) await writer.write(new Uint8Array(1000 * part).fill(index));
      await writer.close();
    });
    const seen: string[] = [];
    const receiving = Array.from({ length: 50 }, async () => {
      const stream = await next(channel.incomingUnidirectionalStreams);
      let length = 0;
      for await (const message of stream) length += message.length;
      seen.push(`${stream.name} ${length}`);
    });
    await Promise.all([...sending, ...receiving]);
    const all = (from: string) => Array.from({ length: 50 }, (_, index) => `${from} ${index} 190000`).toSorted();
    expect(seen.toSorted()).toEqual(all("page"));
    expect((await inPage).toSorted()).toEqual(all("node"));
  });

  test("an abort and a cancel of the page reach Node with text and code", async () => {
    const channel = await link();
    const inPage = page.evaluate(async () => {
      const writer = (await tab.channel.createUnidirectionalStream({ name: "aborted" })).getWriter();
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
    const remote = { source: "stream", remote: true };
    expect(aborted).toMatchObject({
      code: "aborted",
      message: "out of paper ☾",
      streamErrorCode: 4_000_000_000,
      ...remote,
    });
    expect(cancelled).toMatchObject({ code: "cancelled", message: "seen enough", streamErrorCode: 300, ...remote });
  });

  test("an abort and a cancel of Node reach the page with text and code", async () => {
    const channel = await link();
    const inPage = page.evaluate(async () => {
      const writable = await tab.channel.createUnidirectionalStream();
      const { value } = await tab.channel.incomingUnidirectionalStreams.getReader().read();
      const errors = await Promise.allSettled([value!.pipeTo(new WritableStream()), writable.getWriter().closed]);
      return errors.map((each) => {
        if (each.status === "fulfilled") return each;
        const { code, message, streamErrorCode, source, remote } = each.reason as InstanceType<typeof conec.ConecError>;
        return { code, message, streamErrorCode, source, remote };
      });
    });
    const writable = await channel.createUnidirectionalStream();
    await writable.abort(Object.assign(new Error("no ink"), { streamErrorCode: 4_000_000_000 }));
    const readable = await next(channel.incomingUnidirectionalStreams);
    await readable.cancel(Object.assign(new Error("no need"), { streamErrorCode: 8 }));
    const remote = { source: "stream", remote: true };
    expect(await inPage).toEqual([
      { code: "aborted", message: "no ink", streamErrorCode: 4_000_000_000, ...remote },
      { code: "cancelled", message: "no need", streamErrorCode: 8, ...remote },
    ]);
  });

  test("a page that stops reading makes the Node writer wait, and nobody else", async () => {
    const channel = await link();
    const writer = (await channel.createUnidirectionalStream({ name: "stalled" })).getWriter();
    const stalled = pushing(writer);
    await page.evaluate(async () => {
      const streams = tab.channel.incomingUnidirectionalStreams.getReader();
      tab.stalled = (await streams.read()).value!;
      tab.streams = streams;
    });
    const accepted = await stalled.atRest();
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
    expect(stalled.accepted()).toBe(accepted);

    // And this one goes on where it stopped.
    const rest = page.evaluate(async () => {
      let length = 0;
      for await (const message of tab.stalled) length += message.length;
      return length;
    });
    await stalled.stop();
    expect(await rest).toBe(stalled.accepted());
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
    let last = -1;
    for (let unchanged = 0; unchanged < 10;) {
      const accepted = await page.evaluate(async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return tab.accepted;
      });
      unchanged = accepted === last ? unchanged + 1 : 0;
      last = accepted;
    }
    expect(last).toBeLessThan(maxUnreadBytes);
    await page.evaluate(() => void (tab.stop = true));
    let length = 0;
    for await (const message of readable) length += message.length;
    expect(length).toBe(
      await page.evaluate(async () => {
        await tab.pushing;
        return tab.accepted;
      }),
    );
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

  test("a wrong certificate hash and a refused origin are unreachable, and the right ones are not", async () => {
    const attempt = ({ url, hash }: { url: string; hash: number[] }) =>
      conec
        .webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value: Uint8Array.from(hash) }] })
        .connect(url)
        .then(
          () => "connected",
          (error: InstanceType<typeof conec.ConecError>) => error.code,
        );
    expect(await page.evaluate(attempt, { url, hash: hashList.toReversed() })).toBe("unreachable");
    const elsewhere = await listen({ host: "127.0.0.1", cert, key, allowedOrigins: ["https://elsewhere.example"] });
    const refusing = `https://127.0.0.1:${elsewhere.address.port}`;
    expect(await page.evaluate(attempt, { url: refusing, hash: hashList })).toBe("unreachable");
    await elsewhere.close();
    expect(await page.evaluate(attempt, { url, hash: hashList })).toBe("connected");
  });

  test("a page that must first show that its address is its own (Retry)", async () => {
    const limits = { retryAboveHalfOpen: 0 };
    const listener = await listen({ host: "127.0.0.1", cert, key, limits });
    const retryUrl = `https://127.0.0.1:${listener.address.port}`;
    await page.evaluate(joinIdle, { url: retryUrl, hash: hashList });
    await next(listener.incomingConnections);
    const { retried, accepted } = await listener.getStats();
    expect(retried).toBeGreaterThan(0);
    expect(accepted).toBe(1);
    await listener.close();
  });

  test("what webtransport() does not take", async () => {
    const codes = await page.evaluate(async () => {
      const codeOf = (promise: Promise<unknown>) => promise.catch((error: { code: string }) => error.code);
      const signal = AbortSignal.abort({ code: "given up" });
      return await Promise.all([
        codeOf(conec.webtransport().connect("not a url")),
        codeOf(conec.webtransport().connect("http://localhost:1")),
        codeOf(conec.webtransport().connect("https://localhost:1/#fragment")),
        codeOf(conec.webtransport().connect("https://localhost:1", { signal })),
        codeOf(conec.webtransport({ WebTransport: 7 as never }).connect("https://localhost:1")),
      ]);
    });
    expect(codes).toEqual(["invalid-argument", "invalid-argument", "invalid-argument", "given up", "unsupported"]);
  });

  test("an idle page stays connected longer than a connection may be silent", async () => {
    const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs: 6000 });
    const idleUrl = `https://127.0.0.1:${listener.address.port}`;
    await page.evaluate(joinIdle, { url: idleUrl, hash: hashList });
    const connection = await next(listener.incomingConnections);
    const ended = connection.closed.then(
      () => "ended",
      () => "ended",
    );
    const later = new Promise((resolve) => setTimeout(resolve, 9000, "open"));
    expect(await Promise.race([ended, later])).toBe("open");
    await listener.close();
  });
}

/** What a writer may push before it must wait: windows and buffers of every hop. */
const maxUnreadBytes = 10_000_000;

function messageAt(index: number): Uint8Array {
  const bytes = new Uint8Array(messageBytes);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = index * 31 + at * 7;
  return bytes;
}

function shaOfMany(): string {
  const sha = createHash("sha256");
  for (let index = 0; index < messageCount; index += 1) sha.update(messageAt(index));
  return sha.digest("hex");
}

/** Writes until told to stop. */
function pushing(writer: WritableStreamDefaultWriter<Uint8Array>) {
  let accepted = 0;
  const state = { stopped: false };
  const done = (async () => {
    for (let index = 0; !state.stopped; index += 1) {
      await writer.write(messageAt(index));
      accepted += messageBytes;
    }
    await writer.close();
  })();
  done.catch(() => {});
  return {
    accepted: () => accepted,
    /** Resolves when nothing more has been accepted for a while. */
    atRest: async (): Promise<number> => {
      let last = -1;
      for (let unchanged = 0; unchanged < 20;) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        unchanged = accepted === last ? unchanged + 1 : 0;
        last = accepted;
      }
      return accepted;
    },
    stop: async (): Promise<void> => {
      state.stopped = true;
      await done;
    },
  };
}

// What follows runs in the page.

async function joinAsPage({ url, hash }: { url: string; hash: number[] }): Promise<void> {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  const client = await conec.Client.connect(url, {
    transport: conec.webtransport({ serverCertificateHashes }),
    id: "page",
  });
  globalThis.tab = { client } as typeof tab;
}

async function joinIdle({ url, hash }: { url: string; hash: number[] }): Promise<void> {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(hash) }];
  await conec.webtransport({ serverCertificateHashes }).connect(url);
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
