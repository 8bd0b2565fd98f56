import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Slab } from "../../src/transports/quic/slab.ts";

/** Takes a chunk as a stream does: reads into the room, keeps what came. */
function take(slab: Slab, length: number, fill: number): Uint8Array {
  const room = slab.room();
  const taken = Math.min(length, room.length);
  room.fill(fill, 0, taken);
  return slab.take(taken);
}

test("memory is used again once all of it was given back, whatever the order", () => {
  const slab = new Slab();
  const buffers = new Set<ArrayBufferLike>();
  for (let round = 0; round < 100; round += 1) {
    const chunks = Array.from({ length: 6 }, () => take(slab, 30_000, round));
    for (const { buffer } of chunks) buffers.add(buffer);
    for (const chunk of chunks.reverse()) slab.recycle(chunk);
  }
  expect(buffers.size).toBeLessThan(8);
});

test("what is kept is never written over", () => {
  const step = fc.record({ length: fc.integer({ min: 1, max: 70_000 }), giveBack: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const slab = new Slab();
      const kept: { chunk: Uint8Array; fill: number }[] = [];
      for (const [index, { length, giveBack }] of steps.entries()) {
        const fill = index % 251;
        kept.push({ chunk: take(slab, length, fill), fill });
        if (giveBack === null) continue;
        const { chunk } = kept.splice(giveBack % kept.length, 1)[0]!;
        slab.recycle(chunk);
      }
      for (const { chunk, fill } of kept) expect(chunk.every((byte) => byte === fill)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("memory of somebody else is left alone", () => {
  const slab = new Slab();
  slab.recycle(new Uint8Array(10));
  const chunk = take(slab, 10, 1);
  slab.recycle(new Uint8Array(10));
  take(slab, 10, 2);
  expect(chunk).toEqual(new Uint8Array(10).fill(1));
});
