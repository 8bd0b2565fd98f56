import { describe, expect, test } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";
import { collect, isPending, patterned, refuseUnhandledRejections, turns } from "./message-pipe.ts";

refuseUnhandledRejections();

test("bytes come out as they went in", async () => {
  const { readable, writable } = createBytePipe();
  const data = patterned(500_000);
  const collected = collect(readable);
  const writer = writable.getWriter();
  for (let offset = 0; offset < data.length; offset += 7001) await writer.write(data.subarray(offset, offset + 7001));
  await writer.write(new Uint8Array(0));
  await writer.close();
  expect(Buffer.concat(await collected).equals(data)).toBe(true);
});

test("a chunk may be used again once write has resolved", async () => {
  const { readable, writable } = createBytePipe();
  const writer = writable.getWriter();
  const chunk = Uint8Array.of(1, 2);
  await writer.write(chunk);
  chunk.fill(0);
  expect((await readable.getReader().read()).value).toEqual(Uint8Array.of(1, 2));
});

test("writing waits once 64 KiB are unread", async () => {
  const { readable, writable } = createBytePipe();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(60_000));
  const full = writer.write(new Uint8Array(10_000));
  expect(await isPending(full)).toBe(true);
  await readable.getReader().read();
  await full;
});

test("abort reaches the reader, also while a write waits", async () => {
  const { readable, writable } = createBytePipe();
  const writer = writable.getWriter();
  const blocked = writer.write(new Uint8Array(100_000));
  blocked.catch(() => {});
  await turns();
  await writer.abort(Object.assign(new Error("why"), { streamErrorCode: 5 }));
  const told = { code: "aborted", source: "stream", remote: true, streamErrorCode: 5 };
  await expect(readable.getReader().read()).rejects.toMatchObject(told);
});

test("cancel reaches the writer, also while a write waits", async () => {
  const { readable, writable } = createBytePipe();
  const writer = writable.getWriter();
  const blocked = writer.write(new Uint8Array(100_000));
  const next = writer.write(new Uint8Array(1));
  blocked.catch(() => {});
  await turns();
  await readable.cancel();
  const told = { code: "cancelled", source: "stream", remote: true, streamErrorCode: 0 };
  await expect(next).rejects.toMatchObject(told);
  await expect(writer.closed).rejects.toMatchObject(told);
});

test("fail errors both ends, also while a write waits", async () => {
  const pipe = createBytePipe();
  const { readable, writable } = pipe;
  const writer = writable.getWriter();
  const writes = [writer.write(new Uint8Array(100_000)), writer.write(new Uint8Array(1))];
  for (const write of writes) write.catch(() => {});
  await turns();
  const lost = new ConecError("connection-lost", "gone");
  pipe.fail(lost);
  await expect(writes[1]).rejects.toBe(lost);
  await expect(writer.closed).rejects.toBe(lost);
  await expect(readable.getReader().read()).rejects.toBe(lost);
});

test.each([
  ["text", "text"],
  ["null", null],
  ["a detached buffer", detached()],
])("%s is no chunk: both ends err", async (_, chunk) => {
  const { readable, writable } = createBytePipe();
  await expect(writable.getWriter().write(chunk as never)).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(readable.getReader().read()).rejects.toMatchObject({ code: "aborted", remote: true });
});

describe("onFirst and onEnd", () => {
  const acts: [string, (pipe: ReturnType<typeof createBytePipe>) => Promise<unknown>, string[]][] = [
    ["a write", ({ writable }) => writable.getWriter().write(Uint8Array.of(1)), ["first"]],
    ["close", ({ writable }) => writable.close(), ["first", "end"]],
    ["abort", ({ writable }) => writable.abort(), ["first", "end"]],
    ["cancel", ({ readable }) => readable.cancel(), ["end"]],
  ];

  test.each(acts)("%s", async (_, act, expected) => {
    const events: string[] = [];
    await act(createBytePipe({ onFirst: () => void events.push("first"), onEnd: () => void events.push("end") }));
    expect(events).toEqual(expected);
  });
});

function detached(): Uint8Array {
  const bytes = new Uint8Array(4);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}
