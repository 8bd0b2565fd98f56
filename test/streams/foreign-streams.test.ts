/** Message streams beside every other kind of stream: the platform's, Node's, transferred ones, a polyfill's. */
import { Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import * as polyfill from "web-streams-polyfill";
import {
  bytesOf,
  collect,
  createMessagePipe,
  isPending,
  patterned,
  refuseUnhandledRejections,
  text,
  turns,
} from "./message-pipe.ts";

refuseUnhandledRejections();

const letters = ["a", "", "bc", "d".repeat(70_000), "e"];

describe("the platform's streams", () => {
  test("pipeTo in both directions carries messages and the end", async () => {
    const { writable, readable } = createMessagePipe();
    const collected: string[] = [];
    const sent = streamOf(letters).pipeTo(writable);
    await readable.pipeTo(new WritableStream({ write: (message) => void collected.push(text(message)!) }));
    await sent;
    expect(collected).toEqual(letters);
  });

  test("pipeTo from one message stream to another", async () => {
    const first = createMessagePipe();
    const second = createMessagePipe();
    const collected = collect(second.readable);
    const piped = first.readable.pipeTo(second.writable);
    await streamOf(letters).pipeTo(first.writable);
    await piped;
    expect((await collected).map(text)).toEqual(letters);
  });

  test("pipeThrough compression and back", async () => {
    const { writable, readable } = createMessagePipe();
    const data = patterned(500_000);
    const sent = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        controller.enqueue(data as Uint8Array<ArrayBuffer>);
        controller.close();
      },
    })
      .pipeThrough(new CompressionStream("gzip"))
      .pipeTo(writable);
    const restored = await collect(readable.pipeThrough(new DecompressionStream("gzip")));
    await sent;
    expect(Buffer.concat(restored).equals(data)).toBe(true);
  });

  test("pipeTo a destination that fails cancels the writer", async () => {
    const { writable, readable } = createMessagePipe();
    const fault = new Error("disk full");
    const piped = readable.pipeTo(
      new WritableStream({
        write: () => {
          throw fault;
        },
      }),
    );
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    await expect(piped).rejects.toBe(fault);
    await expect(writer.closed).rejects.toMatchObject({ code: "cancelled", message: "disk full", remote: true });
  });

  test("pipeTo from a source that fails aborts the reader", async () => {
    const { writable, readable } = createMessagePipe();
    const fault = new Error("disk gone");
    const source = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(fault) });
    await expect(source.pipeTo(writable)).rejects.toBe(fault);
    await expect(collect(readable)).rejects.toMatchObject({ code: "aborted", message: "disk gone", remote: true });
  });

  test("pipeTo that is stopped by a signal ends both", async () => {
    const { writable, readable } = createMessagePipe();
    const stop = new AbortController();
    const piped = readable.pipeTo(new WritableStream(), { signal: stop.signal });
    await turns();
    stop.abort(new Error("stop"));
    await expect(piped).rejects.toThrow("stop");
    await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled", message: "stop" });
  });

  test("tee gives both branches every message", async () => {
    const { writable, readable } = createMessagePipe();
    const [first, second] = readable.tee();
    const both = Promise.all([collect(first), collect(second)]);
    await streamOf(letters).pipeTo(writable);
    expect((await both).map((messages) => messages.map(text))).toEqual([letters, letters]);
  });

  test("Response takes a message stream as its body", async () => {
    const { writable, readable } = createMessagePipe();
    const body = new Response(readable).text();
    await streamOf(letters).pipeTo(writable);
    expect(await body).toBe(letters.join(""));
  });

  test("byob readers are refused as by any stream that is no byte stream", () => {
    const { readable } = createMessagePipe();
    expect(() => readable.getReader({ mode: "byob" })).toThrow(TypeError);
    expect(() => readable.getReader({ mode: "odd" as never })).toThrow(TypeError);
    expect(readable.locked).toBe(false);
  });
});

describe("transfer over a MessagePort", () => {
  test("a readable", async () => {
    const { writable, readable } = createMessagePipe();
    await withPort(readable, async (moved) => {
      const collected = collect(moved);
      await streamOf(letters).pipeTo(writable);
      expect((await collected).map(text)).toEqual(letters);
    });
  });

  test("a writable", async () => {
    const { writable, readable } = createMessagePipe();
    await withPort(writable, async (moved) => {
      const collected = collect(readable);
      await streamOf(letters).pipeTo(moved);
      expect((await collected).map(text)).toEqual(letters);
    });
  });

  test("a locked one is refused", () => {
    const { readable } = createMessagePipe();
    readable.getReader();
    expect(() => structuredClone(readable, { transfer: [readable as never] })).toThrow();
  });
});

describe("Node's streams", () => {
  test("Readable.toWeb to ours, and ours to Writable.toWeb", async () => {
    const { writable, readable } = createMessagePipe();
    const got: Buffer[] = [];
    const target = new Writable({
      write: (chunk: Buffer, _, done) => {
        got.push(chunk);
        done();
      },
    });
    const data = Array.from({ length: 50 }, (_, i) => Buffer.from(patterned(5000, i)));
    const sent = (Readable.toWeb(Readable.from(data)) as ReadableStream<Uint8Array>).pipeTo(writable);
    await readable.pipeTo(Writable.toWeb(target) as WritableStream<Uint8Array>);
    await sent;
    expect(Buffer.concat(got).equals(Buffer.concat(data))).toBe(true);
  });

  test("Readable.fromWeb and Writable.fromWeb of ours", async () => {
    const { writable, readable } = createMessagePipe();
    const target = Writable.fromWeb(writable as never);
    const collected = (async () => {
      const messages: string[] = [];
      for await (const message of Readable.fromWeb(readable as never, { objectMode: true }))
        messages.push(text(message as Uint8Array)!);
      return messages;
    })();
    for (const letter of ["x", "yy", "zzz"]) target.write(letter);
    await new Promise<void>((resolve) => target.end(resolve));
    expect(await collected).toEqual(["x", "yy", "zzz"]);
  });
});

describe("web-streams-polyfill", () => {
  test("our readable pipes to its writable", async () => {
    const { writable, readable } = createMessagePipe();
    const got: string[] = [];
    const target = new polyfill.WritableStream<Uint8Array>({ write: (message) => void got.push(text(message)!) });
    const piped = readable.pipeTo(target);
    await streamOf(letters).pipeTo(writable);
    await piped;
    expect(got).toEqual(letters);
    expect(readable.locked).toBe(false);
  });

  test("our readable pipes through its transform", async () => {
    const { writable, readable } = createMessagePipe();
    const upper = new polyfill.TransformStream<Uint8Array, string>({
      transform: (message, controller) => controller.enqueue(text(message)!.toUpperCase()),
    });
    const out = readable.pipeThrough(upper as never) as unknown as AsyncIterable<string>;
    const sent = streamOf(["a", "b"]).pipeTo(writable);
    const got: string[] = [];
    for await (const message of out) got.push(message);
    await sent;
    expect(got).toEqual(["A", "B"]);
  });

  test("pipeThrough refuses locked streams at once", () => {
    const { readable } = createMessagePipe();
    const locked = new polyfill.TransformStream();
    locked.writable.getWriter();
    expect(() => readable.pipeThrough(locked as never)).toThrow(TypeError);
    expect(readable.locked).toBe(false);
  });

  // Its pipeTo and pipeThrough take only its own classes: a polyfill stream reaches ours through ReadableStream.from.
  test("its readable pipes to ours through ReadableStream.from, and not by its own pipeTo", async () => {
    const { writable, readable } = createMessagePipe();
    const source = new polyfill.ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const letter of letters) controller.enqueue(bytesOf(letter));
        controller.close();
      },
    });
    await expect(source.pipeTo(writable as never)).rejects.toBeInstanceOf(TypeError);
    expect([source.locked, writable.locked]).toEqual([false, false]);
    const collected = collect(readable);
    // TypeScript's DOM library has no ReadableStream.from yet.
    const Platform = ReadableStream as unknown as { from(source: unknown): ReadableStream<Uint8Array> };
    await Platform.from(source).pipeTo(writable);
    expect((await collected).map(text)).toEqual(letters);
  });

  describe("pipeTo keeps the rules", () => {
    test("backpressure: nothing is read that the destination does not want", async () => {
      const { writable, readable } = createMessagePipe();
      let open!: () => void;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const target = new polyfill.WritableStream<Uint8Array>({ write: () => gate });
      const piped = readable.pipeTo(target);
      const writer = writable.getWriter();
      let written = 0;
      const writing = (async () => {
        for (; written < 200; written++) await writer.write(patterned(10_000));
        await writer.close();
      })();
      await turns(50);
      expect(written).toBeLessThan(60);
      open();
      await Promise.all([writing, piped]);
    });

    test("the source's error aborts the destination, behind what was read before", async () => {
      const { writable, readable } = createMessagePipe();
      const events: unknown[] = [];
      const target = new polyfill.WritableStream<Uint8Array>(
        {
          write: async (message) => {
            await turns(2);
            events.push(text(message));
          },
          abort: (error: Error) => void events.push(error.message),
        },
        { highWaterMark: 10 },
      );
      const piped = readable.pipeTo(target);
      const writer = writable.getWriter();
      for (const letter of ["a", "b", "c"]) await writer.write(bytesOf(letter));
      await turns(1);
      await writer.abort(new Error("source gone"));
      await expect(piped).rejects.toMatchObject({ code: "aborted", message: "source gone" });
      expect(events).toEqual(["a", "b", "c", "source gone"]);
    });

    test("the destination's error cancels the source", async () => {
      const { writable, readable } = createMessagePipe();
      const fault = new Error("target gone");
      const target = new polyfill.WritableStream<Uint8Array>({
        write: () => {
          throw fault;
        },
      });
      const piped = readable.pipeTo(target);
      const writer = writable.getWriter();
      await writer.write(bytesOf("a"));
      await expect(piped).rejects.toBe(fault);
      await expect(writer.closed).rejects.toMatchObject({ code: "cancelled", message: "target gone" });
    });

    test("a destination that was closed cancels the source", async () => {
      const { writable, readable } = createMessagePipe();
      const target = new polyfill.WritableStream<Uint8Array>();
      await target.close();
      await expect(readable.pipeTo(target)).rejects.toBeInstanceOf(TypeError);
      await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled" });
    });

    test("a signal stops it, also one that was aborted before", async () => {
      for (const early of [true, false]) {
        const { writable, readable } = createMessagePipe();
        const stop = new AbortController();
        if (early) stop.abort(new Error("stop"));
        let aborted: unknown;
        const target = new polyfill.WritableStream<Uint8Array>({ abort: (reason) => void (aborted = reason) });
        const piped = readable.pipeTo(target, { signal: stop.signal });
        piped.catch(() => {});
        if (!early) {
          expect(await isPending(piped)).toBe(true);
          stop.abort(new Error("stop"));
        }
        await expect(piped).rejects.toThrow("stop");
        expect(aborted).toMatchObject({ message: "stop" });
        await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled", message: "stop" });
      }
    });

    test("preventClose, preventAbort and preventCancel leave the other stream as it is", async () => {
      const { writable, readable } = createMessagePipe();
      const got: string[] = [];
      const target = new polyfill.WritableStream<Uint8Array>({ write: (message) => void got.push(text(message)!) });
      const stop = new AbortController();
      const piped = readable.pipeTo(target, { signal: stop.signal, preventAbort: true, preventCancel: true });
      writable.tryWrite(bytesOf("a"));
      await turns();
      stop.abort();
      await expect(piped).rejects.toThrow();
      expect([readable.locked, target.locked]).toEqual([false, false]);
      const again = readable.pipeTo(target, { preventClose: true });
      const writer = writable.getWriter();
      await writer.write(bytesOf("b"));
      await writer.close();
      await again;
      const own = target.getWriter();
      await own.write(bytesOf("c"));
      await own.close();
      expect(got).toEqual(["a", "b", "c"]);
    });

    test("what cannot be piped is refused and locks nothing", async () => {
      const { readable } = createMessagePipe();
      const locked = new polyfill.WritableStream();
      locked.getWriter();
      await expect(readable.pipeTo(locked as never)).rejects.toBeInstanceOf(TypeError);
      await expect(readable.pipeTo(undefined as never)).rejects.toBeInstanceOf(TypeError);
      await expect(readable.pipeTo({} as never)).rejects.toBeInstanceOf(TypeError);
      expect(readable.locked).toBe(false);
      readable.getReader();
      const free = new polyfill.WritableStream();
      await expect(readable.pipeTo(free as never)).rejects.toBeInstanceOf(TypeError);
      expect(free.locked).toBe(false);
    });
  });
});

function streamOf(texts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      for (const each of texts) controller.enqueue(bytesOf(each));
      controller.close();
    },
  });
}

/** Sends a stream over a MessagePort, gives what arrives to `use`, and closes the ports. */
async function withPort<T>(stream: T, use: (moved: T) => Promise<void>): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  try {
    const arrived = new Promise<T>((resolve) => {
      port2.addEventListener("message", ({ data }: MessageEvent<T>) => resolve(data), { once: true });
      port2.start();
    });
    port1.postMessage(stream, [stream as never]);
    await use(await arrived);
  } finally {
    port1.close();
    port2.close();
  }
}
