/** Promises 1 and 2 of docs/architecture.md: messages arrive whole, in order, once; close means received. */
import { describe, expect, test } from "vitest";
import { collect, next, rejection } from "../support/hub.ts";
import { isMessage, message } from "../support/messages.ts";
import { fill, receiveAll, sendAll } from "./load.ts";
import type { Load } from "./load.ts";
import type { Path, TestChannel } from "./path.ts";

export function messages({ name, open, shareOfLoad = 1 }: Path): void {
  describe(`messages: ${name}`, () => {
    const count = 100_000 * shareOfLoad;
    test(`${count} messages of 0 to 200 KB arrive in order, byte for byte`, { timeout: 120_000 }, async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const readable = await next(b.incomingUnidirectionalStreams);
      const receiving = receiveAll(readable, { bytes: "mixed" });
      await sendAll(writable, { bytes: "mixed" }, count);
      expect(await receiving).toBe(count);
      await close();
    });

    const perStream = Math.max(8, 20 * shareOfLoad);
    test("200 streams at once in both directions", { timeout: 60_000 }, async () => {
      // Chromium has only 100 of them on the way at once, and a slow machine takes its time.
      const { a, b, close } = await open({ pairTimeoutMs: 60_000 });
      const load = (stream: number): Load => ({ first: stream * perStream, bytes: "rising" });
      const send = async (channel: TestChannel, stream: number): Promise<void> => {
        await sendAll(await channel.createUnidirectionalStream({ name: String(stream) }), load(stream), perStream);
      };
      const receive = async (channel: TestChannel): Promise<void> => {
        const reading: Promise<number>[] = [];
        for await (const readable of channel.incomingUnidirectionalStreams) {
          reading.push(receiveAll(readable, load(Number(readable.name))));
          if (reading.length === 200) break;
        }
        expect(new Set(await Promise.all(reading))).toEqual(new Set([perStream]));
      };
      const sending = Array.from({ length: 200 }, (_, stream) => [send(a, stream), send(b, stream)]).flat();
      await Promise.all([...sending, receive(a), receive(b)]);
      await close();
    });

    test("streams surface in the order they were opened, with name and metadata", async () => {
      const { a, b, close } = await open();
      const opened = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          a.createUnidirectionalStream({ name: `stream ${i}`, metadata: { i, nested: { list: [i] } } }),
        ),
      );
      // The last one is written first.
      for (const writable of opened.toReversed()) await writable.getWriter().write(new Uint8Array(1));
      for (let i = 0; i < 50; i++) {
        const readable = await next(b.incomingUnidirectionalStreams);
        expect([readable.name, readable.metadata]).toEqual([`stream ${i}`, { i, nested: { list: [i] } }]);
      }
      await close();
    });

    test("a stream surfaces before anything is written to it", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream({ name: "empty" });
      const readable = await next(b.incomingUnidirectionalStreams);
      await writable.close();
      expect(await collect(readable)).toEqual([]);
      await close();
    });

    test("close() waits until the other end has received everything", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      let closed = false;
      const messages = 100;
      const size = 100_000;
      const writing = (async () => {
        for (let i = 0; i < messages; i++) await writer.write(message(i, size));
        await writer.close();
        closed = true;
      })();
      const reader = (await next(b.incomingUnidirectionalStreams)).getReader();
      for (let i = 0; i < messages - 10; i++) {
        const { value } = await reader.read();
        expect(isMessage(value!, i, size)).toBe(true);
        expect(closed).toBe(false); // 1 MB is still to come, more than is read ahead
      }
      for (let i = messages - 10; i < messages; i++) await reader.read();
      expect((await reader.read()).done).toBe(true);
      await writing;
      await close();
    });

    test("a short stream is received without its reader", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      for (let i = 0; i < 10; i++) await writer.write(message(i, 100));
      await writer.close(); // nobody has read anything yet
      expect((await collect(await next(b.incomingUnidirectionalStreams))).length).toBe(10);
      await close();
    });

    test("close() rejects when the far end cancels", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      for (let i = 0; i < 100; i++) writer.write(message(i, 50_000)).catch(() => {});
      const closing = rejection(writer.close());
      const reader = (await next(b.incomingUnidirectionalStreams)).getReader();
      await reader.read();
      await reader.cancel("no thanks");
      expect(await closing).toMatchObject({ code: "cancelled", message: "no thanks", source: "stream", remote: true });
      await close();
    });

    test("a message over the limit is refused where it is written, and the reader learns it", async () => {
      const { a, b, close } = await open({ maxMessageBytes: 1000 });
      const writable = await a.createUnidirectionalStream();
      const readable = await next(b.incomingUnidirectionalStreams);
      expect(await rejection(fill(writable, { bytes: 1001 }))).toMatchObject({
        code: "message-too-large",
        source: "stream",
      });
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      await writer.write(new Uint8Array(1000));
      expect(await rejection(writer.write(new Uint8Array(1001)))).toMatchObject({
        code: "message-too-large",
        remote: false,
      });
      expect(await rejection(collect(readable))).toMatchObject({
        code: "message-too-large",
        source: "stream",
        remote: true,
      });
      await close();
    });

    test("compressed on the way", async () => {
      const { a, b, close } = await open();
      const text = new Blob(Array.from({ length: 1000 }, (_, i) => `line ${i}\n`));
      const writable = await a.createUnidirectionalStream();
      const sent = text.stream().pipeThrough(new CompressionStream("gzip")).pipeTo(writable);
      const readable = await next(b.incomingUnidirectionalStreams);
      const received = await new Response(readable.pipeThrough(new DecompressionStream("gzip"))).text();
      await sent;
      expect(received).toBe(await text.text());
      await close();
    });
  });
}
