import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";
import { describe, expect, test } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";
import { MessageReadable } from "../../src/streams/message-readable.ts";
import { MessageSource } from "../../src/streams/message-source.ts";
import type { MessageSourceHooks } from "../../src/streams/message-source.ts";
import { fromHex } from "./hex.ts";
import {
  bytesOf,
  collect,
  createMessagePipe,
  createRecorder,
  isPending,
  patterned,
  refuseUnhandledRejections,
  text,
  turns,
} from "./message-pipe.ts";

refuseUnhandledRejections();
setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** What is still held once everything else has been let go; the memory of ArrayBuffers is freed a little later. */
async function memoryInUse(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 3; i++) {
    gc();
    await turns(2);
  }
  return process.memoryUsage();
}

test("many small messages that come in one chunk take one read of the byte stream", async () => {
  const { writable, chunks } = createRecorder();
  for (let i = 0; i < 500; i++) writable.tryWrite(bytesOf(`message ${i}`));
  await writable.close();
  expect(chunks.length).toBe(1);
  // Nothing more ever comes, so all of them must come out of this chunk.
  const readable = attach(new ReadableStream({ start: (controller) => controller.enqueue(chunks[0]!) }));
  const reader = readable.getReader();
  await reader.read();
  let last: string | undefined;
  for (let i = 1; i < 500; i++) last = text(readable.tryRead());
  expect(last).toBe("message 499");
});

describe("tryRead", () => {
  test("gives what is there, in order, and then undefined", async () => {
    const { writable, readable } = createMessagePipe();
    expect(readable.tryRead()).toBeUndefined();
    writable.tryWrite(bytesOf("a"));
    writable.tryWrite(bytesOf(""));
    writable.tryWrite(bytesOf("c"));
    await turns();
    expect([text(readable.tryRead()), text(readable.tryRead()), text(readable.tryRead())]).toEqual(["a", "", "c"]);
    expect(readable.tryRead()).toBeUndefined();
    await writable.close();
    expect(readable.tryRead()).toBeUndefined();
    await expect(readable.getReader().read()).resolves.toEqual({ value: undefined, done: true });
  });

  test("does not overtake a read that waits", async () => {
    const { writable, readable } = createMessagePipe();
    const reader = readable.getReader();
    const read = reader.read();
    await turns();
    expect(readable.tryRead()).toBeUndefined();
    writable.tryWrite(bytesOf("a"));
    writable.tryWrite(bytesOf("b"));
    expect(text((await read).value)).toBe("a");
    expect(text(readable.tryRead())).toBe("b");
  });

  test("goes on in order after a read that was given up", async () => {
    const { writable, readable } = createMessagePipe();
    const reader = readable.getReader();
    const read = reader.read();
    await turns();
    reader.releaseLock();
    await expect(read).rejects.toBeInstanceOf(TypeError);
    for (const letter of "abcd") writable.tryWrite(bytesOf(letter));
    await turns();
    expect(text(readable.tryRead())).toBe("a");
    const next = readable.getReader();
    expect(text((await next.read()).value)).toBe("b");
    expect(text(readable.tryRead())).toBe("c");
    next.releaseLock();
    expect(text(readable.tryRead())).toBe("d");
  });

  test("never overtakes a message that a given-up pipe has left in the stream", async () => {
    const { writable, readable } = createMessagePipe();
    const stop = new AbortController();
    const piping = readable.pipeTo(new WritableStream(), {
      signal: stop.signal,
      preventCancel: true,
      preventAbort: true,
    });
    await turns();
    stop.abort();
    await expect(piping).rejects.toThrow();
    for (const letter of "abcd") writable.tryWrite(bytesOf(letter));
    await turns();
    const got: (string | undefined)[] = [];
    const reader = readable.getReader();
    while (got.length < 4) {
      const message = readable.tryRead();
      got.push(text(message ?? (await reader.read()).value));
    }
    expect(got.join("")).toBe("abcd");
  });

  test("throws what ended the stream, once the messages before it were taken", async () => {
    const { writable, readable, source } = createMessagePipe();
    writable.tryWrite(bytesOf("a"));
    await turns();
    const lost = new ConecError("connection-lost", "gone");
    source.fail(lost);
    expect(text(readable.tryRead())).toBe("a");
    expect(() => readable.tryRead()).toThrow(lost);
    await expect(readable.getReader().read()).rejects.toBe(lost);
  });

  test("works while the stream is locked to a reader", async () => {
    const { writable, readable } = createMessagePipe();
    const reader = readable.getReader();
    for (const letter of "abc") writable.tryWrite(bytesOf(letter));
    expect(text((await reader.read()).value)).toBe("a");
    expect(text(readable.tryRead())).toBe("b");
    expect(text((await reader.read()).value)).toBe("c");
  });
});

test("several reads at once are served in order", async () => {
  const { writable, readable } = createMessagePipe();
  const reader = readable.getReader();
  const reads = Array.from({ length: 6 }, () => reader.read());
  for (const letter of "abcd") writable.tryWrite(bytesOf(letter));
  void writable.close();
  const results = await Promise.all(reads);
  expect(results.map(({ value }) => text(value))).toEqual(["a", "b", "c", "d", undefined, undefined]);
});

describe("cancel reaches the writer with text and code", () => {
  const reason = Object.assign(new Error("enough"), { streamErrorCode: 7 });
  const told = { code: "cancelled", message: "enough", streamErrorCode: 7, remote: true, source: "stream" };

  test("before anything came", async () => {
    const { writable, readable } = createMessagePipe();
    await readable.cancel(reason);
    const writer = writable.getWriter();
    await expect(writer.closed).rejects.toMatchObject(told);
    await expect(writer.write(bytesOf("a"))).rejects.toMatchObject(told);
    expect(() => writable.tryWrite(bytesOf("a"))).toThrow("enough");
  });

  test("while messages wait to be read, and the writer is blocked", async () => {
    const { writable, readable } = createMessagePipe();
    const writer = writable.getWriter();
    const writes = Array.from({ length: 40 }, () => writer.write(patterned(10_000)).catch((error: unknown) => error));
    await turns();
    await readable.cancel(reason);
    expect((await Promise.all(writes)).at(-1)).toMatchObject(told);
  });

  test("while a read waits: it ends", async () => {
    const { writable, readable } = createMessagePipe();
    const reader = readable.getReader();
    const read = reader.read();
    await turns();
    await reader.cancel(reason);
    await expect(read).resolves.toEqual({ value: undefined, done: true });
    await expect(writable.getWriter().closed).rejects.toMatchObject(told);
  });

  test("by leaving a loop", async () => {
    const { writable, readable } = createMessagePipe();
    for (const letter of "abc") writable.tryWrite(bytesOf(letter));
    for await (const message of readable) {
      expect(text(message)).toBe("a");
      break;
    }
    await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled", remote: true });
  });

  test("but not once the whole stream was received", async () => {
    const { writable, readable } = createMessagePipe();
    const writer = writable.getWriter();
    await writer.write(bytesOf("a"));
    await writer.close();
    await readable.cancel(reason);
    await writer.closed;
    expect(readable.tryRead()).toBeUndefined();
  });

  test("nor after an error", async () => {
    const { writable, readable } = createMessagePipe();
    await writable.abort(reason);
    await expect(readable.cancel(reason)).rejects.toMatchObject({ code: "aborted" });
  });

  test("leaves tryRead empty", async () => {
    const { writable, readable } = createMessagePipe();
    writable.tryWrite(bytesOf("a"));
    await turns();
    await readable.cancel();
    expect(readable.tryRead()).toBeUndefined();
  });
});

describe("what breaks the stream comes behind the messages before it", () => {
  const twoMessages = "0261 0262";

  test.each([
    ["cut inside a message", twoMessages + "05 6162", "truncated"],
    ["cut inside a header", twoMessages + "40", "truncated"],
    ["without an end marker", twoMessages, "truncated"],
    ["a message over the limit", twoMessages + "4042", "message-too-large"],
    ["2^62 - 3 bytes declared", twoMessages + "fffffffffffffffe", "message-too-large"],
  ])("%s", async (_, hex, code) => {
    const events: string[] = [];
    const readable = attach(streamOf(fromHex(hex.replaceAll(" ", ""))), {
      maxMessageBytes: 64,
      hooks: {
        cancelled: (reason) => void events.push((reason as ConecError).code),
        drained: () => void events.push("drained"),
      },
    });
    const reader = readable.getReader();
    expect(text((await reader.read()).value)).toBe("a");
    expect(text((await reader.read()).value)).toBe("b");
    await expect(reader.read()).rejects.toMatchObject({ code, source: "stream", remote: true });
    expect(events.toSorted()).toEqual(code === "truncated" ? ["drained"] : ["drained", "message-too-large"]);
  });

  test("the transport's error", async () => {
    const bytes = createBytePipe();
    const readable = attach(bytes.readable);
    const writer = bytes.writable.getWriter();
    await writer.write(fromHex("02610561"));
    const reader = readable.getReader();
    expect(text((await reader.read()).value)).toBe("a");
    bytes.fail(new ConecError("connection-lost", "gone"));
    await expect(reader.read()).rejects.toMatchObject({ code: "connection-lost", message: "gone" });
  });

  test("an error of another kind, made a ConecError", async () => {
    const cause = new Error("odd");
    const readable = attach(
      new ReadableStream({
        pull: () => {
          throw cause;
        },
      }),
    );
    await expect(readable.getReader().read()).rejects.toMatchObject({ code: "connection-lost", message: "odd", cause });
  });

  test("the reader's lower limit", async () => {
    const { writable, readable } = createMessagePipe({ maxMessageBytes: 100, maxReadBytes: 50 });
    writable.tryWrite(new Uint8Array(50));
    writable.tryWrite(new Uint8Array(51));
    const reader = readable.getReader();
    expect((await reader.read()).value!.length).toBe(50);
    await expect(reader.read()).rejects.toMatchObject({ code: "message-too-large", remote: true });
    await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled" });
  });
});

test("what comes behind a fault is read and thrown away, so that the transport's stream ends", async () => {
  const bytes = createBytePipe();
  const readable = attach(bytes.readable, { maxMessageBytes: 10 });
  const writer = bytes.writable.getWriter();
  const writes = [
    writer.write(fromHex("4042")),
    ...Array.from({ length: 20 }, () => writer.write(new Uint8Array(30_000))),
  ];
  await expect(readable.getReader().read()).rejects.toMatchObject({ code: "message-too-large" });
  await Promise.all(writes);
  await writer.close();
});

test("what comes behind a cancel is read and thrown away, whenever the byte stream is attached", async () => {
  const bytes = createBytePipe();
  const seen: string[] = [];
  const source = new MessageSource({
    maxMessageBytes: 10,
    hooks: {
      broken: (error) => void seen.push(error.code),
      ended: () => void seen.push("ended"),
      cancelled: () => void seen.push("cancelled"),
    },
  });
  const readable = new MessageReadable(source);
  await readable.cancel();
  source.attach(fromHex("0261404200ffffffffffffffff"), bytes.readable.getReader());
  const writer = bytes.writable.getWriter();
  for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(30_000));
  await writer.close();
  expect(seen).toEqual(["cancelled"]);
});

test("what was not yet read is dropped when the writer has aborted, and only then", async () => {
  const aborted = createMessagePipe();
  aborted.writable.tryWrite(bytesOf("a"));
  await turns();
  await aborted.writable.abort("why");
  await turns();
  expect(() => aborted.readable.tryRead()).toThrow("why");
  const lost = createMessagePipe();
  lost.writable.tryWrite(bytesOf("a"));
  await turns();
  lost.bytes.fail(new ConecError("connection-lost", "gone"));
  await turns();
  expect(text(lost.readable.tryRead())).toBe("a");
  expect(() => lost.readable.tryRead()).toThrow("gone");
});

describe("hooks", () => {
  test("ended comes when the end was received, drained when the last message was taken", async () => {
    const events: string[] = [];
    const readable = attach(streamOf(fromHex("026100")), {
      hooks: { ended: () => void events.push("ended"), drained: () => void events.push("drained") },
    });
    await turns();
    expect(events).toEqual(["ended"]);
    readable.tryRead();
    expect(events).toEqual(["ended", "drained"]);
  });

  test("a reason told after the abort marker is what the reader gets", async () => {
    const broken: ConecError[] = [];
    const bytes = createBytePipe();
    const source = new MessageSource({ maxMessageBytes: 10, hooks: { broken: (error) => void broken.push(error) } });
    const readable = new MessageReadable(source);
    source.attach(fromHex("0261ffffffffffffffff"), bytes.readable.getReader());
    const reader = readable.getReader();
    expect(text((await reader.read()).value)).toBe("a");
    const read = reader.read();
    expect(await isPending(read)).toBe(true);
    expect(broken.map(({ code }) => code)).toEqual(["aborted"]);
    source.fail(new ConecError("aborted", "told", { source: "stream", remote: true, streamErrorCode: 3 }));
    await expect(read).rejects.toMatchObject({ message: "told", streamErrorCode: 3 });
  });
});

describe("memory", () => {
  test("a stalled reader bounds what is read ahead", async () => {
    let reads = 0;
    attach(
      new ReadableStream(
        { pull: (controller) => (reads++, controller.enqueue(fromHex("03aabb".repeat(1000)))) },
        { highWaterMark: 0 },
      ),
    );
    await turns(50);
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(40);
  });

  test("an endless chunk of empty messages is not taken apart all at once", async () => {
    const chunk = new Uint8Array(4 * 1024 * 1024).fill(1);
    const before = (await memoryInUse()).heapUsed;
    const readable = attach(streamOf(chunk, Uint8Array.of(0)));
    await turns();
    expect((await memoryInUse()).heapUsed - before).toBeLessThan(4 * 1024 * 1024);
    const reader = readable.getReader();
    for (let i = 0; i < 5000; i++) expect((await reader.read()).value!.length).toBe(0);
    await reader.cancel();
  });

  test("messages that were taken are let go by a stream that never runs empty", async () => {
    const size = 40_000;
    let sent = 0;
    const readable = attach(
      new ReadableStream(
        {
          pull: (controller) => {
            const frame = new Uint8Array(4 + size);
            frame.set([0x80, 0, (size + 1) >> 8, (size + 1) & 0xff]);
            sent += 1;
            controller.enqueue(frame);
          },
        },
        { highWaterMark: 0 },
      ),
    );
    await turns();
    const before = (await memoryInUse()).arrayBuffers;
    for (let i = 0; i < 500; i++) {
      expect(readable.tryRead()!.length).toBe(size);
      await turns(1);
    }
    expect(sent).toBeGreaterThan(500);
    expect((await memoryInUse()).arrayBuffers - before).toBeLessThan(4_000_000);
  });

  test("nor do small ones pile up", async () => {
    const frames = fromHex("02aa".repeat(200));
    const readable = attach(
      new ReadableStream({ pull: (controller) => controller.enqueue(frames) }, { highWaterMark: 0 }),
    );
    await turns();
    const before = (await memoryInUse()).heapUsed;
    for (let i = 0; i < 100_000; i++) if (readable.tryRead() === undefined) await Promise.resolve();
    expect((await memoryInUse()).heapUsed - before).toBeLessThan(4_000_000);
  });
});

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

function attach(
  readable: ReadableStream<Uint8Array>,
  { maxMessageBytes = 1024 * 1024, hooks = {} }: { maxMessageBytes?: number; hooks?: MessageSourceHooks } = {},
): MessageReadable {
  const source = new MessageSource({ maxMessageBytes, hooks });
  const messages = new MessageReadable(source);
  source.attach(new Uint8Array(0), readable.getReader());
  return messages;
}

test("collect sees the end", async () => {
  expect((await collect(attach(streamOf(fromHex("026100"))))).map(text)).toEqual(["a"]);
});
