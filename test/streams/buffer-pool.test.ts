import { expect, test } from "vitest";
import { borrow, giveBack } from "../../src/streams/buffer-pool.ts";

test("memory that was given back is used again, cut to size", () => {
  const first = borrow(65_540);
  giveBack(first);
  const second = borrow(50_000);
  expect(second.buffer).toBe(first.buffer);
  expect(second).toHaveLength(50_000);
});

test("what is out is nobody else's", () => {
  const frames = Array.from({ length: 20 }, () => borrow(60_000));
  expect(new Set(frames.map(({ buffer }) => buffer)).size).toBe(20);
});

test("small and very large ones take what they need, and are not kept", () => {
  for (const bytes of [5000, 1_000_000]) {
    const memory = borrow(bytes);
    expect(memory.buffer.byteLength).toBe(bytes);
    giveBack(memory);
    expect(borrow(bytes).buffer).not.toBe(memory.buffer);
  }
});
