import { expect, onTestFinished, test, vi } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { writeHead } from "../../src/streams/byte-ends.ts";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";
import { discard } from "../../src/streams/linger.ts";
import { forward } from "../../src/streams/forward.ts";
import { collect, isPending, patterned, refuseUnhandledRejections, turns } from "./message-pipe.ts";

refuseUnhandledRejections();

const nothing = new Uint8Array(0);

function forwardAll(
  readable: ReadableStream<Uint8Array>,
  writable: WritableStream<Uint8Array>,
  head: Uint8Array,
  signal = new AbortController().signal,
): Promise<void> {
  return forward(readable.getReader(), writeHead(writable.getWriter(), head), signal, { moved: 0, isWaiting: false });
}

test.each([
  ["with", patterned(10)],
  ["without", nothing],
])("bytes go on, %s some that were read already", async (_, head) => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  const collected = collect(to.readable);
  const forwarded = forwardAll(from.readable, to.writable, head);
  const data = patterned(300_000, 3);
  const writer = from.writable.getWriter();
  for (let offset = 0; offset < data.length; offset += 50_000)
    await writer.write(data.subarray(offset, offset + 50_000));
  await writer.close();
  await forwarded;
  expect(Buffer.concat(await collected).equals(Buffer.concat([head, data]))).toBe(true);
});

test("behind what was written to the target before", async () => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  const writer = to.writable.getWriter();
  void writer.write(Uint8Array.of(1));
  writer.releaseLock();
  const collected = collect(to.readable);
  void from.writable.close();
  await forwardAll(from.readable, to.writable, Uint8Array.of(2));
  expect(Buffer.concat(await collected)).toEqual(Buffer.from([1, 2]));
});

test("a reader that stops stops the writer", async () => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  forwardAll(from.readable, to.writable, nothing).catch(() => {});
  const writer = from.writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await writer.write(new Uint8Array(10_000));
      written += 10_000;
    }
  })();
  writing.catch(() => {});
  await turns(50);
  expect(written).toBeLessThan(400_000);
  expect(await isPending(writing)).toBe(true);
  await to.readable.cancel();
});

test("abort goes on to the reader with its code", async () => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  const forwarded = forwardAll(from.readable, to.writable, Uint8Array.of(1));
  await from.writable.abort(Object.assign(new Error("why"), { streamErrorCode: 9 }));
  await expect(forwarded).rejects.toMatchObject({ code: "aborted", streamErrorCode: 9 });
  await expect(collect(to.readable)).rejects.toMatchObject({ code: "aborted", streamErrorCode: 9 });
});

test("cancel goes back to the writer with its code", async () => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  const forwarded = forwardAll(from.readable, to.writable, nothing);
  forwarded.catch(() => {});
  const closed = from.writable.getWriter().closed;
  closed.catch(() => {});
  await to.readable.cancel(Object.assign(new Error("why"), { streamErrorCode: 9 }));
  await expect(forwarded).rejects.toMatchObject({ code: "cancelled", streamErrorCode: 9 });
  await expect(closed).rejects.toMatchObject({ code: "cancelled", streamErrorCode: 9 });
});

test("a signal ends both, without a reset", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const [from, to] = [createBytePipe(), createBytePipe()];
  const stop = new AbortController();
  const forwarded = forwardAll(from.readable, to.writable, nothing, stop.signal);
  forwarded.catch(() => {});
  const closed = from.writable.getWriter().closed;
  closed.catch(() => {});
  stop.abort(new ConecError("peer-lost", "gone"));
  await vi.advanceTimersByTimeAsync(10_000);
  await expect(forwarded).rejects.toMatchObject({ code: "peer-lost" });
  expect(await collect(to.readable)).toEqual([]);
  await expect(closed).rejects.toMatchObject({ code: "cancelled" });
});

test("a target that has failed already cancels the source", async () => {
  const [from, to] = [createBytePipe(), createBytePipe()];
  await to.readable.cancel();
  await expect(forwardAll(from.readable, to.writable, Uint8Array.of(1))).rejects.toMatchObject({
    code: "cancelled",
  });
  await expect(from.writable.getWriter().closed).rejects.toMatchObject({ code: "cancelled" });
});

test("discard reads to the end, and never rejects", async () => {
  const read = createBytePipe();
  const discarded = discard(read.readable.getReader());
  const writer = read.writable.getWriter();
  for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(50_000));
  await writer.close();
  await discarded;
  const broken = createBytePipe();
  const settled = discard(broken.readable.getReader());
  broken.fail(new ConecError("connection-lost", "gone"));
  await settled;
});
