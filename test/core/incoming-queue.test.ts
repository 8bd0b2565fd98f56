import { expect, test } from "vitest";
import { IncomingQueue } from "../../src/core/incoming-queue.ts";

test("gives things out in order, and says which were taken", async () => {
  const taken: string[] = [];
  const queue = new IncomingQueue<string>((item) => void taken.push(item));
  for (const item of ["a", "b", "c"]) queue.push(item);
  expect(queue.unread).toBe(3);
  expect(taken).toEqual([]);
  const reader = queue.readable.getReader();
  expect(await reader.read()).toEqual({ value: "a", done: false });
  expect(await reader.read()).toEqual({ value: "b", done: false });
  expect(taken).toEqual(["a", "b"]);
  expect(queue.unread).toBe(1);
});

test("serves reads that wait, in order", async () => {
  const queue = new IncomingQueue<number>();
  const reader = queue.readable.getReader();
  const reads = [reader.read(), reader.read(), reader.read()];
  for (const item of [1, 2, 3]) {
    await Promise.resolve();
    queue.push(item);
  }
  expect((await Promise.all(reads)).map(({ value }) => value)).toEqual([1, 2, 3]);
});

test("a thing can be taken out again while nobody has it", async () => {
  const queue = new IncomingQueue<string>();
  for (const item of ["a", "b", "c"]) queue.push(item);
  queue.remove("b");
  queue.remove("never there");
  queue.close();
  const got: string[] = [];
  for await (const item of queue.readable) got.push(item);
  expect(got).toEqual(["a", "c"]);
});

test("after close what waits can still be taken, then the stream ends, and nothing more goes in", async () => {
  const dropped: string[] = [];
  const queue = new IncomingQueue<string>(undefined, (item) => void dropped.push(item));
  queue.push("a");
  expect(queue.open).toBe(true);
  queue.close();
  queue.close();
  expect(queue.open).toBe(false);
  queue.push("b");
  expect(dropped).toEqual(["b"]);
  const reader = queue.readable.getReader();
  expect(await reader.read()).toEqual({ value: "a", done: false });
  expect(await reader.read()).toEqual({ value: undefined, done: true });
  await reader.closed;
});

test("close ends a read that waits", async () => {
  const queue = new IncomingQueue<string>();
  const read = queue.readable.getReader().read();
  await Promise.resolve();
  queue.close();
  expect(await read).toEqual({ value: undefined, done: true });
});

test("cancel drops what waits and what still comes", async () => {
  const dropped: string[] = [];
  const queue = new IncomingQueue<string>(undefined, (item) => void dropped.push(item));
  queue.push("a");
  await queue.readable.cancel();
  expect(queue.unread).toBe(0);
  queue.push("b");
  queue.close();
  expect(dropped).toEqual(["a", "b"]);
});

test("a push from within the taking of another keeps the order", async () => {
  const queue = new IncomingQueue<number>((item) => {
    if (item < 3) queue.push(item + 1);
  });
  queue.push(1);
  const reader = queue.readable.getReader();
  const reads = await Promise.all([reader.read(), reader.read(), reader.read()]);
  expect(reads.map(({ value }) => value)).toEqual([1, 2, 3]);
});
