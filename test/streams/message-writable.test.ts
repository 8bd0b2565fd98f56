import { describe, expect, test } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { abortMarker } from "../../src/streams/framing.ts";
import { toHex } from "./hex.ts";
import {
  bytesOf,
  collect,
  createGate,
  createMessagePipe,
  createRecorder,
  isPending,
  patterned,
  refuseUnhandledRejections,
  text,
  turns,
} from "./message-pipe.ts";

refuseUnhandledRejections();

test("messages arrive whole and in order", async () => {
  const { writable, readable } = createMessagePipe();
  const messages = [0, 1, 100, 4096, 4097, 65_536, 200_000, 0, 3].map(patterned);
  const collected = collect(readable);
  const writer = writable.getWriter();
  for (const message of messages) await writer.write(message);
  await writer.close();
  const got = await collected;
  expect(got.map((message) => message.length)).toEqual(messages.map((message) => message.length));
  for (const [i, message] of got.entries()) expect(Buffer.compare(message, messages[i]!)).toBe(0);
});

describe("many small messages leave together", () => {
  const count = 1000;
  const message = new Uint8Array(30);
  /** 31 kB of messages and headers: one batch, and the end. */
  const mostChunks = 2;

  test("with tryWrite", async () => {
    const { writable, chunks } = createRecorder();
    for (let i = 0; i < count; i++) expect(writable.tryWrite(message)).toBe(true);
    await writable.close();
    expect(chunks.length).toBeLessThanOrEqual(mostChunks);
    expect(sumLength(chunks)).toBe(count * 31 + 1);
  });

  test("with write that is not awaited", async () => {
    const { writable, chunks } = createRecorder();
    const writer = writable.getWriter();
    for (let i = 0; i < count; i++) void writer.write(message);
    await writer.close();
    expect(chunks.length).toBeLessThanOrEqual(mostChunks);
    expect(sumLength(chunks)).toBe(count * 31 + 1);
  });

  test("with write that is awaited", async () => {
    const { writable, chunks } = createRecorder();
    const writer = writable.getWriter();
    for (let i = 0; i < count; i++) await writer.write(message);
    await writer.close();
    expect(chunks.length).toBeLessThanOrEqual(mostChunks);
  });

  test("with ready and write, both awaited", async () => {
    const { writable, chunks } = createRecorder();
    const writer = writable.getWriter();
    for (let i = 0; i < count; i++) {
      await writer.ready;
      await writer.write(message);
    }
    await writer.close();
    expect(chunks.length).toBeLessThanOrEqual(mostChunks);
  });

  test("through pipeTo", async () => {
    const { writable, chunks } = createRecorder();
    let left = count;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => (left-- > 0 ? controller.enqueue(message) : controller.close()),
    });
    await source.pipeTo(writable);
    expect(chunks.length).toBeLessThanOrEqual(mostChunks);
  });

  test("and a lone one leaves without another call", async () => {
    const { writable, chunks } = createRecorder();
    writable.tryWrite(Uint8Array.of(7));
    await turns(1);
    expect(chunks.map(toHex)).toEqual(["0207"]);
  });
});

describe("a large message", () => {
  const large = patterned(100_000);

  test("leaves in one piece with its header", async () => {
    const { writable, chunks } = createRecorder();
    await writable.getWriter().write(large);
    expect(chunks.length).toBe(1);
    expect(chunks[0]!.subarray(-large.length)).toEqual(large);
  });

  test("is copied by tryWrite", async () => {
    const { writable, chunks } = createRecorder();
    const reused = large.slice();
    expect(writable.tryWrite(reused)).toBe(true);
    reused.fill(0);
    await writable.close();
    const sent = Buffer.concat(chunks);
    expect(sent.subarray(4, 4 + large.length).equals(large)).toBe(true);
  });
});

test.each([10, 4096, 4097, 100_000])("memory of %i bytes may be used again once write has resolved", async (size) => {
  const { writable, readable } = createMessagePipe();
  const collected = collect(readable);
  const writer = writable.getWriter();
  const reused = new Uint8Array(size);
  for (let i = 0; i < 5; i++) {
    reused.set(patterned(size, i));
    await writer.write(reused);
    reused.fill(0xee);
  }
  await writer.close();
  const got = await collected;
  expect(got.length).toBe(5);
  for (const [i, message] of got.entries()) expect(Buffer.compare(message, patterned(size, i))).toBe(0);
});

test.each([10, 4096, 4097, 100_000])("memory of %i bytes may be used again after tryWrite", async (size) => {
  const { writable, readable } = createMessagePipe();
  const collected = collect(readable);
  const reused = patterned(size);
  expect(writable.tryWrite(reused)).toBe(true);
  reused.fill(0xee);
  await writable.close();
  expect(Buffer.compare((await collected)[0]!, patterned(size))).toBe(0);
});

describe("tryWrite", () => {
  test("returns false when full; ready waits until there is room", async () => {
    const { writable, open } = createGate();
    const writer = writable.getWriter();
    const message = new Uint8Array(1000);
    let taken = 0;
    while (writable.tryWrite(message)) {
      taken += 1;
      expect(taken).toBeLessThan(200);
    }
    expect(taken).toBeGreaterThan(10);
    const { ready } = writer;
    expect(await isPending(ready)).toBe(true);
    expect(writable.tryWrite(message)).toBe(false);
    open();
    await ready;
    expect(writable.tryWrite(message)).toBe(true);
  });

  test.each([100, 5000, 100_000])("in a loop with ready sends all messages of %i bytes", async (size) => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    const writer = writable.getWriter();
    const count = Math.ceil(2_000_000 / size);
    for (let i = 0; i < count; i++) while (!writable.tryWrite(patterned(size, i))) await writer.ready;
    await writer.close();
    const got = await collected;
    expect(got.length).toBe(count);
    for (const [i, message] of got.entries()) expect(message[0]).toBe((i * 101) & 0xff);
  });

  test("holds a bounded number of bytes while the reader stalls", async () => {
    const { writable } = createMessagePipe();
    const message = new Uint8Array(1000);
    let taken = 0;
    for (let i = 0; i < 100; i++) {
      while (writable.tryWrite(message)) taken += message.length;
      await turns(1);
    }
    expect(taken).toBeGreaterThan(100_000);
    expect(taken).toBeLessThan(600_000);
  });

  test("does not overtake writes that wait, nor spin until they have gone", async () => {
    // The byte stream still has room, so it is the queue of the WritableStream that blocks.
    const { writable, open, chunks } = createGate({ highWaterMark: 1024 * 1024 });
    const writer = writable.getWriter();
    await turns(1);
    const first = writer.write(patterned(10_000, 1));
    const second = writer.write(patterned(10_000, 2));
    expect(writable.tryWrite(Uint8Array.of(3))).toBe(false);
    let rounds = 0;
    const tried = (async () => {
      while (!writable.tryWrite(Uint8Array.of(3))) {
        expect((rounds += 1)).toBeLessThan(1000);
        await writer.ready;
      }
    })();
    await turns();
    open();
    await Promise.all([first, second, tried]);
    await writer.close();
    expect(rounds).toBeLessThan(10);
    expect(chunks.map((chunk) => chunk.length).filter((length) => length === 10_002).length).toBe(2);
    expect(toHex(Buffer.concat(chunks).subarray(-3))).toBe("020300");
  });

  test("throws for what is no message, and the stream goes on", async () => {
    const { writable, readable } = createMessagePipe({ maxMessageBytes: 10 });
    expect(codeThrown(() => writable.tryWrite(new Uint8Array(11)))).toBe("message-too-large");
    expect(codeThrown(() => writable.tryWrite("text" as never))).toBe("invalid-argument");
    expect(writable.tryWrite(bytesOf("ok"))).toBe(true);
    const collected = collect(readable);
    await writable.close();
    expect((await collected).map(text)).toEqual(["ok"]);
  });

  test("throws `closed` after close", async () => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    await writable.close();
    expect(codeThrown(() => writable.tryWrite(bytesOf("late")))).toBe("closed");
    expect(await collected).toEqual([]);
  });

  test("throws the abort's reason after abort", async () => {
    const { writable } = createMessagePipe();
    const reason = new Error("enough");
    await writable.abort(reason);
    expect(() => writable.tryWrite(bytesOf("late"))).toThrow(reason);
  });

  test("works while the stream is locked to a writer", async () => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    const writer = writable.getWriter();
    await writer.write(bytesOf("1"));
    writable.tryWrite(bytesOf("2"));
    void writer.write(bytesOf("3"));
    await writer.close();
    expect((await collected).map(text)).toEqual(["1", "2", "3"]);
  });
});

describe("what is no message errors the stream", () => {
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const detachedView = new DataView(new ArrayBuffer(8));
  structuredClone(detachedView.buffer, { transfer: [detachedView.buffer] });
  const outOfBounds = shrunk(8, 4);

  test.each([
    ["a string", "text"],
    ["null", null],
    ["undefined", undefined],
    ["a number", 5],
    ["an array", [1, 2]],
    ["an object", {}],
    ["a SharedArrayBuffer", new SharedArrayBuffer(4)],
    ["a detached Uint8Array", detached],
    ["a detached ArrayBuffer", detached.buffer],
    ["a detached DataView", detachedView],
    ["a view out of the bounds of its buffer", outOfBounds],
  ])("%s", async (_, chunk) => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    collected.catch(() => {});
    const writer = writable.getWriter();
    await expect(writer.write(chunk as never)).rejects.toMatchObject({ code: "invalid-argument", remote: false });
    await expect(writer.closed).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(collected).rejects.toMatchObject({ code: "aborted", remote: true });
  });

  test("too large", async () => {
    const { writable, readable } = createMessagePipe({ maxMessageBytes: 100 });
    const collected = collect(readable);
    collected.catch(() => {});
    const writer = writable.getWriter();
    await writer.write(new Uint8Array(100));
    await expect(writer.write(new Uint8Array(101))).rejects.toMatchObject({ code: "message-too-large", remote: false });
    await expect(collected).rejects.toMatchObject({ code: "aborted" });
  });
});

test("other views and buffers are taken as their bytes", async () => {
  const { writable, readable } = createMessagePipe();
  const collected = collect(readable);
  const writer = writable.getWriter();
  const memory = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  const shared = new Uint8Array(new SharedArrayBuffer(2));
  shared.set([8, 9]);
  void writer.write(new DataView(memory.buffer, 2, 3) as never);
  void writer.write(new Uint16Array(memory.buffer, 4, 2) as never);
  void writer.write(memory.buffer as never);
  void writer.write(Buffer.from([5, 6]));
  void writer.write(new Uint8ClampedArray([255]) as never);
  void writer.write(shared);
  void writer.write(shrunk(8, 4, 2));
  await writer.close();
  expect((await collected).map(toHex)).toEqual([
    "020304",
    "04050607",
    "0001020304050607",
    "0506",
    "ff",
    "0809",
    "0000",
  ]);
});

test("a message whose buffer is detached before it has left is never sent as another one", async () => {
  const { writable, readable } = createMessagePipe();
  const writer = writable.getWriter();
  const good = writer.write(patterned(300_000, 1));
  good.catch(() => {});
  const message = patterned(50_000, 2);
  const write = writer.write(message);
  write.catch(() => {});
  structuredClone(message.buffer, { transfer: [message.buffer] });
  const closed = writer.close();
  closed.catch(() => {});
  const reader = readable.getReader();
  expect((await reader.read()).value!.length).toBe(300_000);
  await expect(reader.read()).rejects.toBeInstanceOf(ConecError);
  await expect(write).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(closed).rejects.toBeInstanceOf(ConecError);
});

test("a message may be detached or resized while it is on its way", async () => {
  const { writable, chunks, open } = createGate();
  const writer = writable.getWriter();
  await turns(1);
  const detached = patterned(10_000, 1);
  const buffer = createResizable(10_000);
  const writes = [writer.write(detached)];
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  open();
  await writes[0];
  writes.push(writer.write(new Uint8Array(buffer).fill(7)));
  buffer.resize(5000);
  await Promise.all(writes);
  await turns();
  expect(chunks.map((chunk) => chunk.subarray(2))).toEqual([patterned(10_000, 1), new Uint8Array(10_000).fill(7)]);
});

describe("close", () => {
  test("resolves only when the other end has received everything", async () => {
    let confirm!: () => void;
    const { writable, open, chunks } = createGate({ confirm: () => new Promise((resolve) => (confirm = resolve)) });
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    const closed = writer.close();
    open();
    expect(await isPending(closed)).toBe(true);
    expect(toHex(Buffer.concat(chunks))).toBe("026100");
    confirm();
    await closed;
  });

  test("rejects write and another close behind it", async () => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    const writer = writable.getWriter();
    const closed = writer.close();
    await expect(writer.write(bytesOf("late"))).rejects.toBeInstanceOf(TypeError);
    await expect(writer.close()).rejects.toBeInstanceOf(TypeError);
    await closed;
    expect(await collected).toEqual([]);
  });

  test("rejects when the stream fails before it is confirmed", async () => {
    const { writable, sink, open } = createGate({ confirm: () => new Promise(() => {}) });
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    const closed = writer.close();
    open();
    expect(await isPending(closed)).toBe(true);
    sink.fail(new ConecError("connection-lost", "gone"));
    await expect(closed).rejects.toMatchObject({ code: "connection-lost" });
    await expect(writer.closed).rejects.toMatchObject({ code: "connection-lost" });
  });

  test("rejects when the stream fails while the transport is stalled", async () => {
    const { writable, sink } = createGate();
    const writer = writable.getWriter();
    void writer.write(patterned(10_000)).catch(() => {});
    const closed = writer.close();
    await turns(1);
    sink.fail(new ConecError("connection-lost", "gone"));
    await expect(closed).rejects.toMatchObject({ code: "connection-lost" });
  });

  test("rejects when the reader cancels without having received everything", async () => {
    const { writable, readable } = createMessagePipe();
    const closed = (async () => {
      const writer = writable.getWriter();
      for (let i = 0; i < 40; i++) void writer.write(patterned(10_000)).catch(() => {});
      await writer.close();
    })();
    closed.catch(() => {});
    await turns();
    await readable.cancel("enough");
    await expect(closed).rejects.toMatchObject({ code: "cancelled", message: "enough", remote: true });
  });

  test("resolves when the reader cancels after everything was received", async () => {
    const { writable, readable } = createMessagePipe();
    await writable.getWriter().write(bytesOf("unread"));
    const { writable: other, readable: unread } = createMessagePipe();
    const writer = other.getWriter();
    await writer.write(bytesOf("unread"));
    await writer.close();
    await unread.cancel();
    await readable.cancel();
  });
});

describe("abort reaches the reader with text and code", () => {
  const reason = Object.assign(new Error("enough"), { streamErrorCode: 42 });
  const told = { code: "aborted", message: "enough", streamErrorCode: 42, remote: true, source: "stream" };

  test("before anything was written", async () => {
    const { writable, readable } = createMessagePipe();
    await writable.abort(reason);
    await expect(collect(readable)).rejects.toMatchObject(told);
  });

  test("behind messages", async () => {
    const { writable, readable } = createMessagePipe();
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    await writer.abort(reason);
    await expect(collect(readable)).rejects.toMatchObject(told);
    await expect(writer.write(bytesOf("b"))).rejects.toBe(reason);
    await expect(writer.closed).rejects.toBe(reason);
  });

  test("while writes are blocked: all of them reject, and abort does not wait for the reader", async () => {
    const { writable, readable } = createMessagePipe();
    const writer = writable.getWriter();
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 40; i++) writes.push(writer.write(patterned(10_000)).catch((error: unknown) => error));
    const ready = writer.ready.catch((error: unknown) => error);
    await turns();
    const inFlight = await firstPending(writes);
    await writer.abort(reason);
    expect(await Promise.all(writes.slice(inFlight))).toEqual(writes.slice(inFlight).map(() => reason));
    expect(await ready).toBe(reason);
    await expect(collect(readable)).rejects.toMatchObject(told);
  });

  test("while close waits: close rejects", async () => {
    const { writable, readable } = createMessagePipe();
    const writer = writable.getWriter();
    for (let i = 0; i < 20; i++) void writer.write(patterned(10_000)).catch(() => {});
    const closed = writer.close().catch((error: unknown) => error);
    await turns();
    await writer.abort(reason);
    expect(await closed).toBe(reason);
    await expect(collect(readable)).rejects.toMatchObject(told);
  });

  test("while close waits for its confirmation: close rejects", async () => {
    const { writable, open, aborted } = createGate({ confirm: () => new Promise(() => {}) });
    const writer = writable.getWriter();
    const closed = writer.close().catch((error: unknown) => error);
    open();
    await turns();
    await writer.abort(reason).catch(() => {});
    expect(await closed).toBe(reason);
    expect(aborted).toEqual([reason]);
  });

  test("after close it does nothing", async () => {
    const { writable, readable } = createMessagePipe();
    const collected = collect(readable);
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    await writer.close();
    await writer.abort(reason);
    expect((await collected).map(text)).toEqual(["a"]);
    await writer.closed;
  });

  test("twice: the first counts", async () => {
    const { writable, aborted, open } = createGate();
    open();
    const writer = writable.getWriter();
    await Promise.all([writer.abort(reason), writer.abort("again")]);
    expect(aborted).toEqual([reason]);
  });

  test("with a string", async () => {
    const { writable, readable } = createMessagePipe();
    await writable.abort("because");
    await expect(collect(readable)).rejects.toMatchObject({ code: "aborted", message: "because" });
  });

  test("with nothing", async () => {
    const { writable, readable } = createMessagePipe();
    await writable.abort();
    await expect(collect(readable)).rejects.toMatchObject({ code: "aborted" });
  });

  test("leaves no message behind that was not whole", async () => {
    const { writable, chunks, open } = createGate();
    const writer = writable.getWriter();
    void writer.write(patterned(100)).catch(() => {});
    await turns();
    await writer.abort(reason);
    open();
    await turns();
    expect(toHex(chunks.at(-1)!)).toBe(toHex(abortMarker));
  });
});

describe("when the stream fails from below", () => {
  const lost = new ConecError("connection-lost", "gone");

  test("every pending and later call rejects with its error", async () => {
    const { writable, fail } = createGate();
    const writer = writable.getWriter();
    const large = writer.write(patterned(10_000)).catch((error: unknown) => error);
    const queued = writer.write(bytesOf("a")).catch((error: unknown) => error);
    while (writable.tryWrite(patterned(1000)));
    const ready = writer.ready.catch((error: unknown) => error);
    await turns();
    fail(lost);
    expect(await queued).toBe(lost);
    expect(await large).toBe(lost);
    expect(await ready).toBe(lost);
    await expect(writer.closed).rejects.toBe(lost);
    await expect(writer.write(bytesOf("b"))).rejects.toBe(lost);
    await expect(writer.close()).rejects.toBeDefined();
    expect(() => writable.tryWrite(bytesOf("c"))).toThrow(lost);
  });

  test("a ready that waits for tryWrite settles though the transport is stalled", async () => {
    const { writable, sink } = createGate();
    const writer = writable.getWriter();
    await turns(1);
    while (writable.tryWrite(patterned(1000)));
    const ready = writer.ready.catch((error: unknown) => error);
    expect(await isPending(ready)).toBe(true);
    sink.fail(lost);
    expect(await ready).toBe(lost);
  });

  test("a ready that nobody awaits is no unhandled rejection", async () => {
    const { writable, sink } = createGate();
    const writer = writable.getWriter();
    await turns(1);
    while (writable.tryWrite(patterned(1000)));
    void writer.ready;
    sink.fail(lost);
    await turns();
  });

  test("before the first turn", async () => {
    const { writable, sink } = createGate();
    sink.fail(lost);
    await expect(writable.getWriter().closed).rejects.toBe(lost);
  });

  test("a loop of tryWrite and ready does not spin until the reason is told", async () => {
    const { writable, sink, fail } = createGate({ broken: () => {} });
    const writer = writable.getWriter();
    await turns(1);
    writer.write(patterned(10_000)).catch(() => {});
    fail(new ConecError("cancelled", "reset", { source: "stream", remote: true }));
    await turns();
    let rounds = 0;
    const tried = (async () => {
      for (let i = 0; i < 5; i++) {
        while (!writable.tryWrite(patterned(10_000))) {
          expect((rounds += 1)).toBeLessThan(1000);
          await writer.ready;
        }
      }
    })();
    await turns();
    sink.fail(new ConecError("cancelled", "told", { source: "stream", remote: true }));
    await expect(tried).rejects.toMatchObject({ message: "told" });
    expect(rounds).toBeLessThan(10);
  });

  test("pending calls wait for the reason that the other end tells", async () => {
    const broken: ConecError[] = [];
    const { writable, sink, fail } = createGate({ broken: (error) => void broken.push(error) });
    const writer = writable.getWriter();
    const large = writer.write(patterned(10_000));
    await turns();
    fail(new ConecError("cancelled", "reset", { source: "stream", remote: true }));
    expect(await isPending(large)).toBe(true);
    expect(broken.map((error) => error.message)).toEqual(["reset"]);
    const told = new ConecError("cancelled", "enough", { source: "stream", remote: true, streamErrorCode: 7 });
    sink.fail(told);
    await expect(large).rejects.toBe(told);
    await expect(writer.closed).rejects.toBe(told);
  });
});

test("backpressure: a stalled reader bounds what write takes", async () => {
  const { writable } = createMessagePipe();
  const writer = writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await writer.write(patterned(10_000));
      written += 10_000;
    }
  })();
  writing.catch(() => {});
  await turns(50);
  expect(written).toBeGreaterThan(60_000);
  expect(written).toBeLessThan(500_000);
  expect(await isPending(writing)).toBe(true);
  await writer.abort();
});

test("backpressure: ready and desiredSize say that the stream is full", async () => {
  const { writable, open } = createGate();
  const writer = writable.getWriter();
  expect(writer.desiredSize).toBeGreaterThan(0);
  const writes = Array.from({ length: 10 }, () => writer.write(patterned(10_000)));
  expect(writer.desiredSize).toBeLessThanOrEqual(0);
  expect(await isPending(writer.ready)).toBe(true);
  open();
  await Promise.all(writes);
  await writer.ready;
  expect(writer.desiredSize).toBeGreaterThan(0);
});

test("20 000 small messages without await arrive", async () => {
  const { writable, readable } = createMessagePipe();
  const writer = writable.getWriter();
  const message = new Uint8Array(4);
  for (let i = 0; i < 20_000; i++) {
    new DataView(message.buffer).setUint32(0, i);
    void writer.write(message.slice());
  }
  const closed = writer.close();
  let next = 0;
  for await (const got of readable) {
    expect(got.length).toBe(4);
    if (new DataView(got.buffer, got.byteOffset).getUint32(0) !== next) expect.unreachable(`message ${next}`);
    next += 1;
  }
  expect(next).toBe(20_000);
  await closed;
});

test("counters count messages and their bytes", async () => {
  const { writable, sink } = createRecorder();
  writable.tryWrite(new Uint8Array(5));
  await writable.getWriter().write(new Uint8Array(10_000));
  expect(sink.counters).toEqual({ messages: 2, bytes: 10_005 });
});

function sumLength(chunks: Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function codeThrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(ConecError);
    return (error as ConecError).code;
  }
  return expect.unreachable("nothing was thrown");
}

async function firstPending(promises: Promise<unknown>[]): Promise<number> {
  for (const [i, promise] of promises.entries()) if (await isPending(promise)) return i;
  return promises.length;
}

/** A view over a buffer that was shrunk since: of `length` bytes, or of all that it had if none is given. */
function shrunk(from: number, to: number, length = from): Uint8Array {
  const buffer = createResizable(from);
  const view = new Uint8Array(buffer, 0, length);
  buffer.resize(to);
  return view;
}

/** A resizable ArrayBuffer (ES2024), which TypeScript's ES2023 library lacks. */
function createResizable(length: number): ArrayBuffer & { resize(length: number): void } {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void };
  return new Resizable(length, { maxByteLength: length });
}
