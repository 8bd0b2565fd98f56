/** Promise 3 of docs/architecture.md: a reader that stops makes its writer wait, and nobody else. */
import { describe, expect, test } from "vitest";
import type { Channel } from "../../src/index.ts";
import { collect, next } from "../support/hub.ts";
import { isMessage, message } from "../support/messages.ts";
import { paths } from "./paths.ts";

/** What a writer may push before it must wait: windows and buffers of every hop. */
const boundBytes = 4_000_000;

describe.each(paths)("backpressure: $name", ({ open }) => {
  test("a reader that stops stalls its writer while 50 other streams run on", { timeout: 60_000 }, async () => {
    const { a, b, close } = await open();
    const stalled = await a.createUnidirectionalStream({ name: "stalled" });
    const unread = await next(b.incomingUnidirectionalStreams);
    let accepted = 0;
    const stalledWriter = stalled.getWriter();
    const pushing = (async () => {
      for (let i = 0; i < 2000; i++) {
        await stalledWriter.write(message(i, 50_000));
        accepted += 50_000;
      }
      await stalledWriter.close();
    })();

    await Promise.all(
      Array.from({ length: 50 }, async (_, stream) => {
        const writable = await a.createUnidirectionalStream({ name: String(stream) });
        const writer = writable.getWriter();
        for (let i = 0; i < 100; i++) await writer.write(message(stream + i, 10_000));
        await writer.close();
      }).concat(
        Array.from({ length: 50 }, async () => {
          const readable = await next(b.incomingUnidirectionalStreams);
          const messages = await collect(readable);
          expect(messages.length).toBe(100);
          messages.forEach((bytes, i) => expect(isMessage(bytes, Number(readable.name) + i, 10_000)).toBe(true));
        }),
      ),
    );

    expect(accepted).toBeLessThan(boundBytes); // 50 MB went past it meanwhile
    let received = 0;
    for await (const bytes of unread) {
      if (!isMessage(bytes, received, 50_000)) expect.fail(`message ${received} arrived wrong`);
      received += 1;
    }
    await pushing;
    expect(received).toBe(2000);
    await close();
  });

  test("tryWrite stops at the same bound, and ready says when to go on", async () => {
    const { a, b, close } = await open();
    const writable = await a.createUnidirectionalStream();
    const writer = writable.getWriter();
    const readable = await next(b.incomingUnidirectionalStreams);
    let sent = 0;
    let readyPending = false;
    while (!readyPending) {
      while (writable.tryWrite(message(sent, 1000))) sent += 1;
      // Stalled for good when ready is still pending after everything that was under way has settled.
      const rest = roundTrips(a, b).then(() => true);
      readyPending = await Promise.race([writer.ready.then(() => false), rest]);
      await rest;
      expect(sent * 1000).toBeLessThan(boundBytes);
    }
    const goingOn = writer.ready;
    const reading = collect(readable);
    await goingOn;
    expect(writable.tryWrite(message(sent, 1000))).toBe(true);
    sent += 1;
    await writer.close();
    const messages = await reading;
    expect(messages.length).toBe(sent);
    messages.forEach((bytes, i) => expect(isMessage(bytes, i, 1000)).toBe(true));
    await close();
  });

  test("streams that nobody takes hold their opener back, and none is lost", async () => {
    const { a, b, close } = await open({ streamsPerChannel: 8 });
    let opened = 0;
    const opening = (async () => {
      for (let i = 0; i < 30; i++) {
        const writable = await a.createUnidirectionalStream({ name: String(i) });
        opened += 1;
        const writer = writable.getWriter();
        await writer.write(message(i, 10));
        await writer.close();
      }
    })();
    const first = await next(b.incomingUnidirectionalStreams);
    expect(await collect(first)).toHaveLength(1);
    await roundTrips(a, b);
    expect(opened).toBeLessThanOrEqual(8 + 1 + 2);
    for (let i = 1; i < 30; i++) {
      const readable = await next(b.incomingUnidirectionalStreams);
      expect(readable.name).toBe(String(i));
      expect(await collect(readable)).toHaveLength(1);
    }
    await opening;
    expect(opened).toBe(30);
    await close();
  });
});

/** Resolves after twenty round trips from b to a and back: what else was under way has come to rest by then. */
async function roundTrips(a: Channel, b: Channel): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const writable = await b.createUnidirectionalStream();
    await Promise.all([writable.close(), next(a.incomingUnidirectionalStreams).then(collect)]);
  }
}
