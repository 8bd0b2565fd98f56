import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { ConecError } from "../../src/core/errors.ts";
import type { BidirectionalStream, Connection } from "../../src/core/transport.ts";

/** Two ends of one connection, fresh for every test. */
export interface ConnectedPair {
  client: Connection;
  server: Connection;
  /** Frees what the pair stands on. The connection may be closed already. */
  close(): Promise<void>;
}

export interface TransportContractOptions {
  /** Bytes that a writer may get rid of while nobody reads. Default 4 MiB. */
  maxUnreadBytes?: number;
  /** Largest stream error code that the client's end can send; larger ones arrive as this one. Default 2^32 − 1. */
  maxErrorCode?: number;
}

/**
 * What every transport must do (`src/core/transport.ts`). Call it from a test file of that transport.
 */
export function transportContract(
  name: string,
  setup: () => Promise<ConnectedPair>,
  { maxUnreadBytes = 4 * 1024 * 1024, maxErrorCode = 0xffff_ffff }: TransportContractOptions = {},
): void {
  describe(`transport contract: ${name}`, () => {
    let pair: ConnectedPair;
    let client: Connection;
    let server: Connection;

    beforeEach(async () => {
      pair = await setup();
      ({ client, server } = pair);
    });

    afterEach(async () => {
      await pair.close();
    });

    describe("streams", () => {
      test("carry bytes both ways", async () => {
        const [near, far] = await openBidirectional(client, server, "ping");
        await writeAll(far.writable, [text("pong")]);
        expect(await readText(near.readable)).toBe("pong");
        await near.writable.close();
        expect(await readText(far.readable)).toBe("ping");
      });

      test("are opened by either end", async () => {
        const [near, far] = await openBidirectional(server, client, "from the server");
        await near.writable.close();
        expect(await readText(far.readable)).toBe("from the server");
        const writable = await server.createUnidirectionalStream();
        await writeAll(writable, [text("one way")]);
        expect(await readText(await nextOf(client.incomingUnidirectionalStreams))).toBe("one way");
      });

      test("end in one direction and go on in the other", async () => {
        const [near, far] = await openBidirectional(client, server, "a");
        await near.writable.close();
        expect(await readText(far.readable)).toBe("a");
        const writer = far.writable.getWriter();
        await writer.write(text("b"));
        const reader = near.readable.getReader();
        expect(toText((await reader.read()).value)).toBe("b");
        await writer.write(text("c"));
        await writer.close();
        expect(toText((await reader.read()).value)).toBe("c");
        expect((await reader.read()).done).toBe(true);
      });

      test("end in the direction of the one who did not open them first", async () => {
        const [near, far] = await openBidirectional(client, server, "a");
        await far.writable.close();
        expect(await readText(near.readable)).toBe("");
        await writeAll(near.writable, [text("b")]);
        expect(await readText(far.readable)).toBe("ab");
      });

      test("may carry nothing at all", async () => {
        const writable = await client.createUnidirectionalStream();
        await writable.close();
        expect(await readText(await nextOf(server.incomingUnidirectionalStreams))).toBe("");
      });

      test("end when the close comes with, soon after and long after the last byte", async () => {
        for (const wait of [() => undefined, () => Promise.resolve(), () => server.getStats()]) {
          const writable = await client.createUnidirectionalStream();
          const writer = writable.getWriter();
          void writer.write(text("x"));
          await wait();
          await writer.close();
          expect(await readText(await nextOf(server.incomingUnidirectionalStreams))).toBe("x");
        }
      });

      test("end when the close comes after the reader has all bytes", async () => {
        const writer = (await client.createUnidirectionalStream()).getWriter();
        await writer.write(text("x"));
        const reader = (await nextOf(server.incomingUnidirectionalStreams)).getReader();
        expect(toText((await reader.read()).value)).toBe("x");
        await writer.close();
        expect((await reader.read()).done).toBe(true);
      });

      test("surface in any number: 1000 at once", async () => {
        const count = 1000;
        const writing = Array.from({ length: count }, async (_, index) => {
          await writeAll(await client.createUnidirectionalStream(), [text(`${index}`)]);
        });
        const incoming = server.incomingUnidirectionalStreams.getReader();
        const seen = await Promise.all(
          Array.from({ length: count }, async () => {
            const { value } = await incoming.read();
            return Number(await readText(value as ReadableStream<Uint8Array>));
          }),
        );
        await Promise.all(writing);
        expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
      });

      test("run in both directions at once", async () => {
        const [near, far] = await openBidirectional(client, server, "");
        const results = await Promise.all([
          writeAll(near.writable, chunks(1, 3_000_000)),
          writeAll(far.writable, chunks(2, 3_000_000)),
          hashOf(near.readable),
          hashOf(far.readable),
        ]);
        expect(results[2]).toBe(hashOfChunks(chunks(2, 3_000_000)));
        expect(results[3]).toBe(hashOfChunks(chunks(1, 3_000_000)));
      });

      test("keep bytes whole and in order however they are cut", async () => {
        const sizes = [0, 1, 1, 0, 2, 3, 1199, 1200, 1201, 2047, 2048, 2049, 4095, 4096, 4097, 65_535, 65_536, 1];
        const parts = [...sizes, 1_048_576, 0, 7, 300_001, 1].map((size, index) => pattern(index, size));
        const writable = await client.createUnidirectionalStream();
        const [, hash] = await Promise.all([
          writeAll(writable, parts),
          nextOf(server.incomingUnidirectionalStreams).then(hashOf),
        ]);
        expect(hash).toBe(hashOfChunks(parts));
      });

      test("keep bytes whole one byte at a time", async () => {
        const parts = Array.from({ length: 5000 }, (_, index) => Uint8Array.of(index & 0xff));
        const writable = await client.createUnidirectionalStream();
        const [, hash] = await Promise.all([
          writeAll(writable, parts),
          nextOf(server.incomingUnidirectionalStreams).then(hashOf),
        ]);
        expect(hash).toBe(hashOfChunks(parts));
      });

      test("leave a chunk to its writer once it is written", async () => {
        const writer = (await client.createUnidirectionalStream()).getWriter();
        const chunk = new Uint8Array(100_000);
        const expected = createHash("sha256");
        const reading = nextOf(server.incomingUnidirectionalStreams).then(hashOf);
        for (let round = 0; round < 30; round += 1) {
          const size = round % 3 === 0 ? 100 : chunk.length;
          chunk.fill(round, 0, size);
          expected.update(chunk.subarray(0, size));
          await writer.write(chunk.subarray(0, size));
          chunk.fill(0xff);
        }
        await writer.close();
        expect(await reading).toBe(expected.digest("hex"));
      });

      test("pipe with the streams of the platform", async () => {
        const source = new Blob(chunks(5, 500_000)).stream();
        const writable = await client.createUnidirectionalStream();
        const readable = await Promise.all([
          source.pipeThrough(new CompressionStream("gzip")).pipeTo(writable),
          nextOf(server.incomingUnidirectionalStreams).then((incoming) =>
            hashOf(
              incoming.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>),
            ),
          ),
        ]);
        expect(readable[1]).toBe(hashOfChunks(chunks(5, 500_000)));
      });

      test("do not take what is no Uint8Array", async () => {
        const writer = (await client.createUnidirectionalStream()).getWriter();
        await expect(writer.write("text" as unknown as Uint8Array)).rejects.toMatchObject({ code: "invalid-argument" });
      });
    });

    describe("abort and cancel", () => {
      test.each([
        { reason: Object.assign(new Error("enough"), { streamErrorCode: 7 }), code: 7 },
        { reason: { streamErrorCode: 0xffff_ffff }, code: 0xffff_ffff },
        { reason: { streamErrorCode: -1 }, code: 0 },
        { reason: { streamErrorCode: 2 ** 32 }, code: 0 },
        { reason: { streamErrorCode: 1.5 }, code: 0 },
        { reason: { streamErrorCode: Number.NaN }, code: 0 },
        { reason: undefined, code: 0 },
        { reason: "text", code: 0 },
      ])("an abort reaches the reader as $code", async ({ reason, code }) => {
        const [near, far] = await openBidirectional(client, server, "a");
        await near.writable.abort(reason);
        await expect(readText(far.readable)).rejects.toMatchObject({
          code: "aborted",
          source: "stream",
          remote: true,
          streamErrorCode: Math.min(code, maxErrorCode),
        });
        await writeAll(far.writable, [text("still here")]);
        expect(await readText(near.readable)).toBe("still here");
      });

      test.each([
        { reason: Object.assign(new Error("enough"), { streamErrorCode: 9 }), code: 9 },
        { reason: undefined, code: 0 },
      ])("a cancel reaches the writer as $code", async ({ reason, code }) => {
        const [near, far] = await openBidirectional(client, server, "a");
        const reader = far.readable.getReader();
        expect(toText((await reader.read()).value)).toBe("a");
        await reader.cancel(reason);
        await expect(near.writable.getWriter().closed).rejects.toMatchObject({
          code: "cancelled",
          source: "stream",
          remote: true,
          streamErrorCode: code,
        });
        await writeAll(far.writable, [text("still here")]);
        expect(await readText(near.readable)).toBe("still here");
      });

      test("a cancel ends a write that waits", async () => {
        const writable = await client.createUnidirectionalStream();
        const writing = writeForever(writable);
        const readable = await nextOf(server.incomingUnidirectionalStreams);
        await stall(writing);
        await readable.cancel(Object.assign(new Error("no"), { streamErrorCode: 11 }));
        await expect(writing.done).rejects.toMatchObject({ code: "cancelled", source: "stream", remote: true });
      });

      test("an abort ends a write that waits", async () => {
        const writable = await client.createUnidirectionalStream();
        const writing = writeForever(writable);
        const readable = await nextOf(server.incomingUnidirectionalStreams);
        await stall(writing);
        const reason = Object.assign(new Error("no"), { streamErrorCode: 12 });
        await writing.writer.abort(reason);
        await expect(writing.done).rejects.toBe(reason);
        await expect(hashOf(readable)).rejects.toMatchObject({ code: "aborted", streamErrorCode: 12 });
      });

      test("an abort ends a close that waits", async () => {
        const writable = await client.createUnidirectionalStream();
        const writing = writeForever(writable);
        await nextOf(server.incomingUnidirectionalStreams);
        await stall(writing);
        writing.stop();
        const closing = writing.writer.close();
        closing.catch(() => {});
        writing.done.catch(() => {});
        await writing.writer.abort(new Error("no"));
        await expect(closing).rejects.toThrow("no");
      });

      test("a cancelled stream does not come back", async () => {
        const [near, far] = await openBidirectional(client, server, "a");
        await far.readable.cancel();
        const [, other] = await openBidirectional(client, server, "b");
        const reader = other.readable.getReader();
        expect(toText((await reader.read()).value)).toBe("b");
        await near.writable.close().catch(() => {});
      });
    });

    describe("backpressure", () => {
      test("a reader that stops makes its writer wait, and nobody else", async () => {
        const stalled = writeForever(await client.createUnidirectionalStream());
        const readable = await nextOf(server.incomingUnidirectionalStreams);
        const accepted = await stall(stalled);
        expect(accepted).toBeLessThan(maxUnreadBytes);

        const parts = chunks(3, 10_000_000);
        const writable = await client.createUnidirectionalStream();
        const [, hash] = await Promise.all([
          writeAll(writable, parts),
          nextOf(server.incomingUnidirectionalStreams).then(hashOf),
        ]);
        expect(hash).toBe(hashOfChunks(parts));
        expect(stalled.accepted()).toBe(accepted);

        // And it goes on where it stopped.
        stalled.stop();
        const closing = stalled.done.then(() => stalled.writer.close());
        const total = await lengthOf(readable);
        await closing;
        expect(total).toBe(stalled.accepted());
        expect(total).toBeGreaterThanOrEqual(accepted);
      });

      test("streams that wait share the connection when their readers go on", async () => {
        const count = 20;
        const size = 400_000;
        const incoming = server.incomingUnidirectionalStreams.getReader();
        const writing = Array.from({ length: count }, async (_, index) => {
          await writeAll(await client.createUnidirectionalStream(), [pattern(index, size)]);
        });
        const readables: ReadableStream<Uint8Array>[] = [];
        while (readables.length < count) readables.push((await incoming.read()).value as ReadableStream<Uint8Array>);
        const lengths = await Promise.all(readables.toReversed().map(lengthOf));
        await Promise.all(writing);
        expect(lengths).toEqual(Array.from({ length: count }, () => size));
      });
    });

    describe("close", () => {
      test("tells the other end", async () => {
        client.close({ closeCode: 4_000_000_000, reason: "gute Nacht ☾" });
        const info = { closeCode: 4_000_000_000, reason: "gute Nacht ☾" };
        expect(await client.closed).toEqual(info);
        expect(await server.closed).toEqual(info);
      });

      test("works from the server as well, and without saying anything", async () => {
        server.close();
        expect(await server.closed).toEqual({ closeCode: 0, reason: "" });
        expect(await client.closed).toEqual({ closeCode: 0, reason: "" });
      });

      test("cuts a reason that is too long", async () => {
        client.close({ reason: "ü".repeat(2000) });
        expect((await server.closed).reason).toBe("ü".repeat(512));
      });

      test("counts once", async () => {
        client.close({ closeCode: 1, reason: "first" });
        client.close({ closeCode: 2, reason: "second" });
        expect(await client.closed).toEqual({ closeCode: 1, reason: "first" });
        expect(await server.closed).toEqual({ closeCode: 1, reason: "first" });
        server.close({ closeCode: 3 });
        expect(await server.closed).toEqual({ closeCode: 1, reason: "first" });
      });

      test("does not take a code outside its range", async () => {
        for (const closeCode of [-1, 0.5, 2 ** 32, Number.NaN]) {
          expect(() => client.close({ closeCode })).toThrow(ConecError);
        }
        const [near] = await openBidirectional(client, server, "still open");
        expect(near).toBeDefined();
      });

      test("settles everything at both ends", async () => {
        const [near, far] = await openBidirectional(client, server, "a");
        const reader = near.readable.getReader();
        const farReader = far.readable.getReader();
        expect(toText((await farReader.read()).value)).toBe("a");
        const blocked = writeForever(await client.createUnidirectionalStream());
        await stall(blocked);
        const pending = [
          outcome(reader.read()),
          outcome(farReader.read()),
          outcome(blocked.done),
          outcome(near.writable.getWriter().closed),
          outcome(far.writable.getWriter().closed),
        ];
        const incoming = [
          drainIncoming(client.incomingBidirectionalStreams),
          drainIncoming(client.incomingUnidirectionalStreams),
          drainIncoming(server.incomingBidirectionalStreams),
          drainIncoming(server.incomingUnidirectionalStreams),
        ];
        client.close({ closeCode: 1 });
        for (const result of await Promise.all(pending)) expect(result).toMatchObject({ code: "closed" });
        for (const result of await Promise.all(incoming)) expect(result).toBe("done");
        for (const end of [client, server]) {
          await expect(end.createBidirectionalStream()).rejects.toMatchObject({ code: "closed" });
          await expect(end.createUnidirectionalStream()).rejects.toMatchObject({ code: "closed" });
        }
      });

      test("while streams are being opened leaves nothing pending", async () => {
        const opening = Array.from({ length: 20 }, async () => {
          const { readable, writable } = await client.createBidirectionalStream();
          return Promise.all([outcome(writeAll(writable, [text("x")])), outcome(lengthOf(readable))]);
        });
        const settled = Promise.all(opening.map(outcome));
        client.close();
        expect(await settled).toHaveLength(20);
      });

      test("is never an unhandled rejection, and stats still answer", async () => {
        client.close();
        await server.closed;
        expect(await client.getStats()).toBeTypeOf("object");
        expect(await server.getStats()).toBeTypeOf("object");
      });
    });
  });
}

async function openBidirectional(
  from: Connection,
  to: Connection,
  first: string,
): Promise<[BidirectionalStream, BidirectionalStream]> {
  const near = await from.createBidirectionalStream();
  const writer = near.writable.getWriter();
  // A stream surfaces with its first byte.
  const firstBytes = first === "" ? Uint8Array.of() : text(first);
  if (firstBytes.length === 0) {
    // Nothing to show the other end yet: let it surface through one chunk that both ends leave out of account.
    writer.write(marker).catch(() => {});
  } else {
    writer.write(firstBytes).catch(() => {}); // a test may give the stream up before it resolves
  }
  writer.releaseLock();
  const far = await nextOf(to.incomingBidirectionalStreams);
  if (firstBytes.length > 0) return [near, far];
  const reader = far.readable.getReader();
  expect((await reader.read()).value).toEqual(marker);
  reader.releaseLock();
  return [near, far];
}

const marker = Uint8Array.of(0x2a);

async function nextOf<T>(incoming: ReadableStream<T>): Promise<T> {
  const reader = incoming.getReader();
  try {
    const { value, done } = await reader.read();
    if (done) throw new Error("the connection ended");
    return value;
  } finally {
    reader.releaseLock();
  }
}

async function writeAll(writable: WritableStream<Uint8Array>, parts: readonly Uint8Array[]): Promise<void> {
  const writer = writable.getWriter();
  for (const part of parts) await writer.write(part);
  await writer.close();
}

interface EndlessWriting {
  writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Settles when writing has failed or been stopped. */
  done: Promise<void>;
  /** Bytes whose write has resolved. */
  accepted(): number;
  stop(): void;
}

function writeForever(writable: WritableStream<Uint8Array>): EndlessWriting {
  const writer = writable.getWriter();
  const chunk = new Uint8Array(50_000);
  let accepted = 0;
  let stopped = false;
  async function run(): Promise<void> {
    for (;;) {
      if (stopped) return;
      await writer.write(chunk);
      accepted += chunk.length;
    }
  }
  const done = run();
  done.catch(() => {});
  return { writer, done, accepted: () => accepted, stop: () => (stopped = true) };
}

/** Waits until nothing more is accepted; returns how much was. */
async function stall(writing: EndlessWriting): Promise<number> {
  let unchanged = 0;
  let last = -1;
  // Quiet for 20 turns of the event loop and 100 ms: more than any round trip in this machine takes.
  while (unchanged < 20) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    unchanged = writing.accepted() === last ? unchanged + 1 : 0;
    last = writing.accepted();
  }
  return last;
}

/** What a promise rejects with, or `undefined`. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}

async function drainIncoming(incoming: ReadableStream<unknown>): Promise<unknown> {
  try {
    for await (const stream of incoming) void stream;
    return "done";
  } catch (error) {
    return error;
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function toText(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

async function readText(readable: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const chunk of readable) all += decoder.decode(chunk, { stream: true });
  return all + decoder.decode();
}

async function lengthOf(readable: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of readable) length += chunk.length;
  return length;
}

async function hashOf(readable: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of readable) hash.update(chunk);
  return hash.digest("hex");
}

function hashOfChunks(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Bytes that tell their place, so that a mix-up shows. */
function pattern(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >> 8) + seed * 101) & 0xff;
  return bytes;
}

function chunks(seed: number, total: number): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let left = total; left > 0; left -= 70_000) parts.push(pattern(seed + parts.length, Math.min(left, 70_000)));
  return parts;
}
