/** Readers whose memory is used again: whoever gives a chunk back must not need it any more. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ByteReader } from "../../src/core/transport.ts";
import { endMarker, headerLength, writeHeader } from "../../src/streams/framing.ts";
import { forward } from "../../src/streams/forward.ts";
import { MessageReadable } from "../../src/streams/message-readable.ts";
import { MessageSource } from "../../src/streams/message-source.ts";
import { collect, patterned, refuseUnhandledRejections } from "./message-pipe.ts";

refuseUnhandledRejections();

/** Reads these bytes in chunks of such sizes, and writes over every chunk that is given back. */
function scribblingReader(bytes: Uint8Array, sizes: number[]): ByteReader & { recycled: number } {
  const copy = bytes.slice();
  let offset = 0;
  let turn = 0;
  return {
    recycled: 0,
    closed: new Promise<undefined>(() => {}),
    async read() {
      if (offset === copy.length) return { value: undefined, done: true as const };
      const value = copy.subarray(offset, offset + sizes[turn++ % sizes.length]!);
      offset += value.length;
      return { value, done: false as const };
    },
    async cancel() {},
    recycle(chunk) {
      chunk.fill(0xee);
      this.recycled += 1;
    },
  };
}

function frame(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerLength(message.length) + message.length);
  bytes.set(message, writeHeader(bytes, 0, message.length));
  return bytes;
}

const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 });

test("messages are whole, whichever chunks are given back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 9000 }), { maxLength: 20 }), sizes, async (lengths, chunkSizes) => {
      const messages = lengths.map((length, seed) => patterned(length, seed));
      const source = new MessageSource({ maxMessageBytes: 10_000 });
      const readable = new MessageReadable(source);
      const reader = scribblingReader(Buffer.concat([...messages.map(frame), endMarker]), chunkSizes);
      source.attach(new Uint8Array(0), reader);
      const received = await collect(readable);
      expect(received.map((message) => Buffer.from(message))).toEqual(messages.map((message) => Buffer.from(message)));
    }),
    { numRuns: 20 },
  );
});

test("the chunks of a large message are given back", async () => {
  const source = new MessageSource({ maxMessageBytes: 1_000_000 });
  const readable = new MessageReadable(source);
  const message = patterned(1_000_000);
  const reader = scribblingReader(Buffer.concat([frame(message), endMarker]), [10_000]);
  source.attach(new Uint8Array(0), reader);
  expect(Buffer.concat(await collect(readable)).equals(message)).toBe(true);
  expect(reader.recycled).toBeGreaterThan(95);
});

test("what is forwarded is given back when it was taken, not before", async () => {
  const bytes = patterned(300_000);
  const reader = scribblingReader(bytes, [1000, 7000, 1]);
  const received: Uint8Array[] = [];
  const slow = new WritableStream<Uint8Array>(
    {
      async write(chunk) {
        await new Promise((resolve) => setImmediate(resolve));
        received.push(chunk.slice());
      },
    },
    { highWaterMark: 3 },
  );
  await forward(reader, slow.getWriter(), new AbortController().signal, { moved: 0, isWaiting: false });
  expect(Buffer.concat(received).equals(bytes)).toBe(true);
  expect(reader.recycled).toBe(received.length);
});
