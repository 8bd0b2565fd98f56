import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConecError } from "../../src/core/errors.ts";
import { abortMarker, endMarker, FrameDecoder, headerLength, writeHeader } from "../../src/streams/framing.ts";
import type { FrameState } from "../../src/streams/framing.ts";
import { readVectors } from "../vectors/read-vectors.ts";
import { fromHex, toHex } from "./hex.ts";

interface Vector {
  name: string;
  hex: string;
  maxMessageBytes: number;
  messages: string[];
  state: FrameState;
  error?: string;
  truncated?: true;
}

interface Decoded {
  messages: string[];
  state: FrameState;
  error?: string;
}

const vectors = readVectors<Vector>("framing");

describe.each(vectors)("$name", ({ hex, maxMessageBytes, messages, state, error }) => {
  const bytes = fromHex(hex);
  const expected: Decoded = { messages, state, ...(error !== undefined && { error }) };

  test("comes out in one chunk, one byte at a time, and cut at every place", () => {
    expect(decode([bytes], maxMessageBytes)).toEqual(expected);
    expect(decode(cutEvery(bytes, 1), maxMessageBytes)).toEqual(expected);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)], maxMessageBytes), `cut at ${cut}`).toEqual(expected);
    }
  });
});

const whole = vectors.filter(({ error }) => error === undefined);

test.each(whole)("where the stream may end: $name", ({ hex, maxMessageBytes, truncated }) => {
  const decoder = new FrameDecoder(maxMessageBytes);
  decoder.decode(fromHex(hex), []);
  expect(codeOf(() => decoder.finish())).toBe(truncated ? "truncated" : undefined);
});

test("every way to cut three messages and an end into three chunks", () => {
  const bytes = concat([frame(Uint8Array.of(1, 2)), frame(new Uint8Array(0)), longHeader(Uint8Array.of(3)), endMarker]);
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      expect(decode(chunks, 2)).toEqual({ messages: ["0102", "", "03"], state: "ended" });
    }
  }
});

test("messages of any sizes come out as they went in, whatever the chunks", () => {
  const message = fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 100 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60, max: 70_000 }).map(patterned) },
  );
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 12 }),
      fc.constantFrom(endMarker, abortMarker),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
      (messages, marker, sizes) => {
        const decoder = new FrameDecoder(100_000);
        const out: Uint8Array[] = [];
        for (const chunk of cut(concat([...messages.map(frame), marker]), sizes)) decoder.decode(chunk, out);
        expect(out.length).toBe(messages.length);
        for (const [i, bytes] of out.entries()) expect(Buffer.compare(bytes, messages[i]!)).toBe(0);
        expect(decoder.state).toBe(marker === endMarker ? "ended" : "aborted");
        expect(decoder.heldBytes).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test("any bytes give the same in one chunk and in many, and nothing is thrown but ConecErrors", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (bytes, sizes) => {
        expect(decode(cut(bytes, sizes), 40)).toEqual(decode([bytes], 40));
      },
    ),
    { numRuns: 500 },
  );
});

test("a message within one chunk is not copied", () => {
  const chunk = frame(patterned(10_000));
  const messages: Uint8Array[] = [];
  new FrameDecoder(10_000).decode(chunk, messages);
  expect(messages[0]!.buffer).toBe(chunk.buffer);
});

test("a declared length reserves no memory", () => {
  const header = new Uint8Array(8);
  const length = writeHeader(header, 0, 16 * 1024 * 1024);
  const start = concat([header.subarray(0, length), Uint8Array.of(7)]);
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 32 }, () => new FrameDecoder(16 * 1024 * 1024));
  for (const decoder of decoders) {
    decoder.decode(start, []);
    expect(decoder.heldBytes).toBeLessThan(16);
  }
  // 32 × 16 MiB were declared, 32 × 1 byte has come.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 1024 * 1024);
});

test("a large message in pieces of one byte takes about its own size", () => {
  const size = 4 * 1024 * 1024;
  const decoder = new FrameDecoder(size);
  const header = new Uint8Array(8);
  decoder.decode(header.subarray(0, writeHeader(header, 0, size)), []);
  globalThis.gc?.();
  const before = process.memoryUsage();
  const piece = Uint8Array.of(1);
  for (let i = 0; i < size - 1; i++) decoder.decode(piece, []);
  const after = process.memoryUsage();
  expect(decoder.heldBytes).toBe(size);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(size * 1.5);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(24 * 1024 * 1024);
  const messages: Uint8Array[] = [];
  decoder.decode(piece, messages);
  expect(messages[0]!.length).toBe(size);
  expect(messages[0]!.every((byte) => byte === 1)).toBe(true);
  expect(decoder.heldBytes).toBe(0);
});

test("small and large pieces of one message come together in order", () => {
  const sizes = [1, 4096, 4095, 5000, 16_000, 1, 1, 30_000, 4095, 4095, 4095, 4095, 4095, 2];
  const message = patterned(sizes.reduce((sum, size) => sum + size, 0));
  const header = new Uint8Array(8);
  const decoder = new FrameDecoder(message.length);
  const messages: Uint8Array[] = [];
  decoder.decode(header.subarray(0, writeHeader(header, 0, message.length)), messages);
  for (const piece of cut(message, sizes)) decoder.decode(piece.length < 4096 ? piece.slice() : piece, messages);
  expect(messages.length).toBe(1);
  expect(Buffer.compare(messages[0]!, message)).toBe(0);
});

test("small pieces may be overwritten once they were decoded", () => {
  const decoder = new FrameDecoder(100);
  const messages: Uint8Array[] = [];
  const chunk = new Uint8Array(1);
  for (const byte of concat([frame(Uint8Array.of(1, 2, 3))])) {
    chunk[0] = byte;
    decoder.decode(chunk, messages);
  }
  expect(messages.map(toHex)).toEqual(["010203"]);
});

function decode(chunks: Iterable<Uint8Array>, maxMessageBytes: number): Decoded {
  const decoder = new FrameDecoder(maxMessageBytes);
  const messages: Uint8Array[] = [];
  const error = codeOf(() => {
    for (const chunk of chunks) decoder.decode(chunk, messages);
  });
  return { messages: messages.map(toHex), state: decoder.state, ...(error !== undefined && { error }) };
}

function codeOf(call: () => void): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ConecError);
    expect(error).toMatchObject({ source: "stream", remote: true });
    return (error as ConecError).code;
  }
}

function frame(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerLength(message.length) + message.length);
  bytes.set(message, writeHeader(bytes, 0, message.length));
  return bytes;
}

function longHeader(message: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, message.length + 1), message]);
}

function patterned(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

function concat(parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  return [...cut(bytes, [size])];
}

/** Pieces of these sizes, again and again. */
function* cut(bytes: Uint8Array, sizes: number[]): Generator<Uint8Array> {
  for (let offset = 0, i = 0; offset < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}
