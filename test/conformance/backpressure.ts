/** Promise 3 of docs/architecture.md: a reader that stops makes its writer wait, and nobody else. */
import { describe, expect, test } from "vitest";
import { collect, next } from "../support/hub.ts";
import { message } from "../support/messages.ts";
import { fill, receiveAll, sendAll } from "./load.ts";
import type { Path, TestChannel } from "./path.ts";

export function backpressure({ name, open, shareOfLoad = 1, maxUnreadBytes = 4_000_000 }: Path): void {
  describe(`backpressure: ${name}`, () => {
    test("a reader that stops stalls its writer while 50 other streams run on", { timeout: 60_000 }, async () => {
      const count = Math.max(2000 * shareOfLoad, (2 * maxUnreadBytes) / 50_000);
      const countOfOthers = 100 * shareOfLoad;
      const { a, b, close } = await open();
      const stalled = await a.createUnidirectionalStream({ name: "stalled" });
      const unread = await next(b.incomingUnidirectionalStreams);
      let accepted = 0;
      const stalledWriter = stalled.getWriter();
      const pushing = (async () => {
        for (let i = 0; i < count; i++) {
          await stalledWriter.write(message(i, 50_000));
          accepted += 50_000;
        }
        await stalledWriter.close();
      })();

      await Promise.all(
        Array.from({ length: 50 }, async (_, first) => {
          const writable = await a.createUnidirectionalStream({ name: String(first) });
          await sendAll(writable, { first, bytes: 10_000 }, countOfOthers);
        }).concat(
          Array.from({ length: 50 }, async () => {
            const readable = await next(b.incomingUnidirectionalStreams);
            expect(await receiveAll(readable, { first: Number(readable.name), bytes: 10_000 })).toBe(countOfOthers);
          }),
        ),
      );

      expect(accepted).toBeLessThan(maxUnreadBytes); // all others went past it meanwhile
      expect(await receiveAll(unread, { bytes: 50_000 })).toBe(count);
      await pushing;
      await close();
    });

    test("tryWrite stops at the same bound, and ready says when to go on", { timeout: 60_000 }, async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      const readable = await next(b.incomingUnidirectionalStreams);
      let sent = 0;
      let ready = writer.ready.then(() => true);
      // Stalled for good when it is still not ready after everything that was under way has settled.
      for (let quiet = 0; quiet < 20; quiet += 1) {
        const trip = roundTrip(a, b).then(() => false);
        const isReady = await Promise.race([ready, trip]);
        await trip;
        if (!isReady) continue;
        sent += await fill(writable, { first: sent, bytes: 1000 });
        expect(sent * 1000).toBeLessThan(maxUnreadBytes);
        ready = writer.ready.then(() => true);
        quiet = -1;
      }
      const reading = receiveAll(readable, { bytes: 1000 });
      await ready;
      const more = await fill(writable, { first: sent, bytes: 1000 });
      expect(more).toBeGreaterThan(0);
      await writer.close();
      expect(await reading).toBe(sent + more);
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
      for (let i = 0; i < 20; i++) await roundTrip(a, b);
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
}

/** From b to a and back. */
async function roundTrip(a: TestChannel, b: TestChannel): Promise<void> {
  const writable = await b.createUnidirectionalStream();
  await Promise.all([writable.close(), next(a.incomingUnidirectionalStreams).then(collect)]);
}
