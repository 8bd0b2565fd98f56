/** Promises 4 and 7 of docs/architecture.md: abort and cancel reach the other end; whatever ends, everything settles. */
import { describe, expect, test } from "vitest";
import { ConecError } from "../../src/index.ts";
import { collect, next, rejection } from "../support/hub.ts";
import { message } from "../support/messages.ts";
import { fill } from "./load.ts";
import type { Path, TestChannel } from "./path.ts";

export function endings({ name, open, shareOfLoad = 1 }: Path): void {
  describe(`endings: ${name}`, () => {
    test("abort reaches the reader, with text and code", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const readable = await next(b.incomingUnidirectionalStreams);
      const reading = rejection(collect(readable));
      await writable.abort(Object.assign(new Error("out of paper ☾"), { streamErrorCode: 4_000_000_000 }));
      expect(await reading).toMatchObject({
        code: "aborted",
        message: "out of paper ☾",
        streamErrorCode: 4_000_000_000,
        source: "stream",
        remote: true,
      });
      await close();
    });

    test("abort in the middle of many messages reaches a reader that has stopped", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      const writes = Array.from({ length: 200 }, (_, i) => rejectionOrValue(writer.write(message(i, 50_000))));
      const reader = (await next(b.incomingUnidirectionalStreams)).getReader();
      await reader.read();
      await writer.abort("enough");
      await Promise.all(writes);
      for (;;) {
        const result = await rejectionOrValue(reader.read());
        if (!(result instanceof ConecError)) continue;
        expect(result).toMatchObject({ code: "aborted", message: "enough" });
        break;
      }
      await close();
    });

    test("cancel reaches the writer, with text and code", async () => {
      const { a, b, close } = await open();
      const writable = await a.createUnidirectionalStream();
      const writer = writable.getWriter();
      const closed = rejection(writer.closed);
      await writer.write(message(0, 10));
      const readable = await next(b.incomingUnidirectionalStreams);
      await readable.cancel(Object.assign(new Error("seen enough"), { streamErrorCode: 7 }));
      const error = await closed;
      expect(error).toMatchObject({
        code: "cancelled",
        message: "seen enough",
        streamErrorCode: 7,
        source: "stream",
        remote: true,
      });
      expect(await rejection(writer.write(message(1, 10)))).toBe(error);
      expect(await rejection(fill(writable, { bytes: 10 }))).toBe(error);
      await close();
    });

    test("leaving a for await loop cancels", async () => {
      const { a, b, close } = await open();
      const writer = (await a.createUnidirectionalStream()).getWriter();
      const closed = rejection(writer.closed);
      await writer.write(message(0, 10));
      for await (const _ of await next(b.incomingUnidirectionalStreams)) break;
      expect(await closed).toMatchObject({ code: "cancelled" });
      await close();
    });

    const count = 500 * shareOfLoad;
    // No more than a third of them: a Client that aborts over half of its streams is cut off.
    test(`${count} streams aborted, ${count} cancelled, and ${count} others among them`, async () => {
      const { a, b, close } = await open();
      for (let i = 0; i < count; i++) {
        const aborted = await a.createUnidirectionalStream();
        const cancelled = await a.createUnidirectionalStream();
        const other = await a.createUnidirectionalStream();
        const readable = await next(b.incomingUnidirectionalStreams);
        const unwanted = await next(b.incomingUnidirectionalStreams);
        const wanted = await next(b.incomingUnidirectionalStreams);
        const writer = cancelled.getWriter();
        const closed = rejection(writer.closed);
        await Promise.all([aborted.abort(`no ${i}`), unwanted.cancel(`stop ${i}`), other.close(), collect(wanted)]);
        expect(await rejection(collect(readable))).toMatchObject({ code: "aborted", message: `no ${i}` });
        expect(await closed).toMatchObject({ code: "cancelled", message: `stop ${i}` });
      }
      await close();
    });

    test("close tells both ends, cuts what is open, lets what is ending end", async () => {
      const { a, b, close } = await open();
      const ending = await a.createUnidirectionalStream({ name: "ending" });
      const cut = await a.createUnidirectionalStream({ name: "cut" });
      const back = await b.createUnidirectionalStream({ name: "back" });
      const endingReadable = await next(b.incomingUnidirectionalStreams);
      const cutReadable = await next(b.incomingUnidirectionalStreams);
      const backReadable = await next(a.incomingUnidirectionalStreams);
      const endingWriter = ending.getWriter();
      for (let i = 0; i < 100; i++) endingWriter.write(message(i, 10_000)).catch(() => {});
      const ended = endingWriter.close();
      const cutWriter = cut.getWriter();
      await cutWriter.write(message(0, 10));
      const received = collect(endingReadable);
      const results = [
        rejection(cutWriter.closed),
        rejection(collect(cutReadable)),
        rejection(back.getWriter().closed),
        rejection(collect(backReadable)),
      ];

      await a.close({ closeCode: 42, reason: "that is all" });

      expect(await received).toHaveLength(100);
      await ended;
      for (const error of await Promise.all(results))
        expect(error).toMatchObject({ code: "closed", message: "that is all" });
      expect(await a.closed).toEqual({ closeCode: 42, reason: "that is all" });
      expect(await b.closed).toEqual({ closeCode: 42, reason: "that is all" });
      expect(await rejection(a.createUnidirectionalStream())).toMatchObject({ code: "closed" });
      expect(await rejection(b.createUnidirectionalStream())).toMatchObject({ code: "closed" });
      expect(await collect(b.incomingUnidirectionalStreams).catch(() => [])).toEqual([]);
      await a.close();
      await b.close();
      await close();
    });

    test("an aborted signal cuts the close short", async () => {
      const { a, b, close } = await open();
      const writer = (await a.createUnidirectionalStream()).getWriter();
      const writes = Array.from({ length: 100 }, (_, i) => rejectionOrValue(writer.write(message(i, 50_000))));
      const ending = rejection(writer.close());
      const controller = new AbortController();
      const closing = rejection(a.close({ reason: "in a hurry", signal: controller.signal }));
      await next(b.incomingUnidirectionalStreams); // which nobody reads, so that it does not end
      controller.abort("now");
      expect(await closing).toBe("now");
      expect(await ending).toMatchObject({ code: "closed" });
      await Promise.all(writes);
      expect(await b.closed).toEqual({ closeCode: 0, reason: "in a hurry" });
      await close();
    });

    test("both ends close at the same time", async () => {
      const { a, b, close } = await open();
      await Promise.all([a.close({ closeCode: 1 }), b.close({ closeCode: 2 })]);
      expect([1, 2]).toContain((await a.closed).closeCode);
      expect([1, 2]).toContain((await b.closed).closeCode);
      await close();
    });

    test("both ends open, abort and cancel at the same time", async () => {
      const { a, b, close } = await open();
      const work = async (mine: TestChannel, theirs: TestChannel): Promise<void> => {
        for (let i = 0; i < 100; i++) {
          const writable = await mine.createUnidirectionalStream({ name: String(i) });
          const readable = await next(theirs.incomingUnidirectionalStreams);
          const writer = writable.getWriter();
          writer.closed.catch(() => {});
          const writing = rejectionOrValue(writer.write(message(i, 5000)));
          const [aborted, cancelled] = await Promise.all([
            rejectionOrValue(writer.abort("a")),
            rejectionOrValue(readable.cancel("c")),
            writing,
          ]);
          expect(
            [aborted, cancelled].filter((result) => result !== undefined && !(result instanceof ConecError)),
          ).toEqual([]);
        }
      };
      await Promise.all([work(a, b), work(b, a)]);
      await close();
    });

    test("a party that vanishes: everything that waits settles, with an error that says so", async () => {
      const { a, b, cut, close } = await open();
      const out = await b.createUnidirectionalStream({ name: "out" });
      const back = await a.createUnidirectionalStream({ name: "in" });
      const outWriter = out.getWriter();
      outWriter.closed.catch(() => {});
      const writes = Array.from({ length: 100 }, (_, i) => rejectionOrValue(outWriter.write(message(i, 50_000))));
      await next(a.incomingUnidirectionalStreams);
      const readable = await next(b.incomingUnidirectionalStreams);
      await back.getWriter().write(message(0, 10));
      const reading = rejection(collect(readable));
      const closing = rejection(outWriter.close());
      const streams = rejectionOrValue(collect(b.incomingUnidirectionalStreams).catch(() => []));
      void streams;
      // In a page calls arrive later than here, and in their order: with this one, `close` has been called before the cut.
      await b.createUnidirectionalStream({ name: "last" });

      cut();

      const codes = ["peer-lost", "connection-lost", "closed"];
      expect(codes).toContain(((await reading) as ConecError).code);
      expect(codes).toContain(((await closing) as ConecError).code);
      for (const result of await Promise.all(writes))
        if (result !== undefined) expect(codes).toContain((result as ConecError).code);
      expect(codes).toContain(((await rejectionOrValue(b.closed)) as ConecError).code ?? "closed");
      expect(codes).toContain(((await rejectionOrValue(a.closed)) as ConecError).code ?? "closed");
      expect(codes).toContain(((await rejection(b.createUnidirectionalStream())) as ConecError).code);
      await close();
    });

    test("an aborted signal ends the opening of a stream, before and while it waits", async () => {
      const { a, close } = await open({ streamsPerChannel: 1 });
      expect(await rejection(a.createUnidirectionalStream({ signal: AbortSignal.abort("never") }))).toBe("never");
      await a.createUnidirectionalStream();
      const controller = new AbortController();
      const waiting = rejection(a.createUnidirectionalStream({ signal: controller.signal }));
      controller.abort("no longer");
      expect(await waiting).toBe("no longer");
      await close();
    });

    test("whoever stops taking streams refuses those that wait and those that come", async () => {
      const { a, b, close } = await open({ streamsPerChannel: 4 });
      const writers = await Promise.all(
        Array.from({ length: 4 }, async () => (await a.createUnidirectionalStream()).getWriter()),
      );
      const closed = writers.map((writer) => rejection(writer.closed));
      for await (const readable of b.incomingUnidirectionalStreams) {
        await readable.cancel("that one, too");
        break;
      }
      expect(await closed[0]).toMatchObject({ code: "cancelled" });
      for (const error of closed.slice(1)) expect(await error).toMatchObject({ code: "refused", remote: true });
      for (let i = 0; i < 10; i++) {
        const writer = (await a.createUnidirectionalStream()).getWriter();
        expect(await rejection(writer.closed)).toMatchObject({ code: "refused" });
      }
      await close();
    });

    test("what a channel refuses to take", async () => {
      const { a, close } = await open();
      const bad = [
        { name: "a\u0000b" },
        { name: "\u202egnp.exe" },
        { name: "x".repeat(257) },
        { metadata: { n: Number.NaN } },
        { metadata: { big: "x".repeat(5000) } },
      ];
      for (const options of bad) {
        expect(await rejection(a.createUnidirectionalStream(options))).toMatchObject({ code: "invalid-argument" });
      }
      for (const closeCode of [-1, 0.5, Number.NaN, 2 ** 32]) {
        expect(await rejection(a.close({ closeCode }))).toMatchObject({ code: "invalid-argument" });
      }
      await close();
    });

    test("await using closes the channel", async () => {
      const { a, b, close } = await open();
      await a[Symbol.asyncDispose]();
      expect(await b.closed).toEqual({ closeCode: 0, reason: "" });
      await a[Symbol.asyncDispose]();
      await close();
    });
  });
}

/** The error as a value, when there is one. */
async function rejectionOrValue(promise: Promise<unknown>): Promise<unknown> {
  return await promise.catch((error: unknown) => error);
}
