import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDataHeader, readDataHeader } from "../../src/core/data-header.ts";
import { encodeVarints, maxVarint } from "../../src/streams/varint.ts";
import { fromHex, toHex } from "../streams/hex.ts";

const id = fc.oneof(
  fc.nat(63),
  fc.nat(70_000),
  fc.constantFrom(0, 63, 64, 16_383, 16_384, 2 ** 30, 2 ** 32, maxVarint),
);

test("a header comes out of any chunks, with what is behind it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(id, id, id), fc.uint8Array({ maxLength: 10 }), fc.nat(3), async (ids, rest, head) => {
      const bytes = new Uint8Array([...encodeVarints(...ids), ...rest]);
      for (let cut = 0; cut <= bytes.length; cut++) {
        const first = Math.min(head, cut);
        const parts = [bytes.subarray(0, first), bytes.subarray(first, cut), bytes.subarray(cut)];
        const { readable, all } = streamOf(parts.slice(1));
        const reader = readable.getReader();
        const header = await readDataHeader(reader, parts[0]!);
        reader.releaseLock();
        expect([header.channel, header.stream, header.epoch]).toEqual(ids);
        expect(toHex(Uint8Array.from([...header.rest, ...(await all())]))).toBe(toHex(rest));
      }
    }),
    { numRuns: 40 },
  );
});

test("one byte at a time", async () => {
  const bytes = encodeVarints(maxVarint, 2 ** 40, 3);
  const { readable } = streamOf([...bytes].map((byte) => Uint8Array.of(byte)));
  const header = await readDataHeader(readable.getReader(), new Uint8Array(0));
  expect(header).toEqual({ channel: maxVarint, stream: 2 ** 40, epoch: 3, rest: new Uint8Array(0) });
});

test("longer forms than needed are read", () => {
  expect(parseDataHeader(fromHex("400180000002400307"))).toMatchObject({
    channel: 1,
    stream: 2,
    epoch: 3,
    rest: Uint8Array.of(7),
  });
});

describe("is not whole", () => {
  test.each(["", "05", "c0", "4001", "400140", "40018000", "0102", "010240", "05c0000000000000"])("with %s", (hex) => {
    expect(parseDataHeader(fromHex(hex))).toBeUndefined();
  });
});

test.each(["", "05", "4001", "05c00000"])("ends inside the header: %s", async (hex) => {
  const { readable } = streamOf([fromHex(hex)]);
  await expect(readDataHeader(readable.getReader(), new Uint8Array(0))).rejects.toMatchObject({
    code: "truncated",
    source: "stream",
    remote: true,
  });
});

test.each([
  ["channel 2^53", "e0000000000000000100"],
  ["channel 2^62 - 1", "ffffffffffffffff0100"],
  ["stream 2^53", "01e00000000000000000"],
  ["epoch 2^53", "0101e000000000000000"],
])("an id that cannot be is refused: %s", (_, hex) => {
  expect(() => parseDataHeader(fromHex(hex))).toThrow(expect.objectContaining({ code: "protocol-error" }));
});

test("what the stream broke with is passed on", async () => {
  const fault = new Error("gone");
  const readable = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(fault) });
  await expect(readDataHeader(readable.getReader(), Uint8Array.of(5))).rejects.toBe(fault);
});

function streamOf(chunks: Uint8Array[]) {
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const all = async (): Promise<number[]> => {
    const bytes: number[] = [];
    for await (const chunk of readable) bytes.push(...chunk);
    return bytes;
  };
  return { readable, all };
}
