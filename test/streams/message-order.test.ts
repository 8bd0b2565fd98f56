import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MessageReadable } from "../../src/streams/message-readable.ts";
import type { MessageWritable } from "../../src/streams/message-writable.ts";
import { createMessagePipe, patterned, refuseUnhandledRejections, turns } from "./message-pipe.ts";

refuseUnhandledRejections();

const size = fc.constantFrom(0, 1, 2, 100, 4095, 4096, 4097, 20_000, 70_000);
const writeOp = fc.record({
  op: fc.constantFrom("write", "awaitWrite", "readyWrite", "tryWrite", "tryWriteOnce", "turn"),
  size,
});
const readOp = fc.constantFrom("read", "twoReads", "tryRead", "tryReadAll", "giveUp", "relock", "turn");

type WriteOp = typeof writeOp extends fc.Arbitrary<infer T> ? T : never;
type ReadOp = typeof readOp extends fc.Arbitrary<infer T> ? T : never;

test("whatever calls are mixed, each message arrives whole, in order, once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(writeOp, { maxLength: 60 }),
      fc.array(readOp, { minLength: 1, maxLength: 12 }),
      async (writes, reads) => {
        const { writable, readable } = createMessagePipe();
        const [sent, got] = await Promise.all([writeAll(writable, writes), readAll(readable, reads)]);
        expect(got.map((message) => message.length)).toEqual(sent.map((message) => message.length));
        for (const [i, message] of got.entries()) expect(Buffer.compare(message, sent[i]!)).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});

async function writeAll(writable: MessageWritable, ops: WriteOp[]): Promise<Uint8Array[]> {
  const writer = writable.getWriter();
  const sent: Uint8Array[] = [];
  for (const [i, { op, size }] of ops.entries()) {
    const message = patterned(size, i);
    if (op === "turn") await turns(1);
    else if (op === "tryWriteOnce") {
      if (writable.tryWrite(message)) sent.push(message);
    } else {
      if (op === "tryWrite") while (!writable.tryWrite(message)) await writer.ready;
      else if (op === "write") void writer.write(message);
      else {
        if (op === "readyWrite") await writer.ready;
        await writer.write(message);
      }
      sent.push(message);
    }
  }
  await writer.close();
  return sent;
}

/** Reads to the end by these calls, again and again, and one waiting read a round, so that it comes to an end. */
async function readAll(readable: MessageReadable, ops: ReadOp[]): Promise<Uint8Array[]> {
  const got: Uint8Array[] = [];
  let reader = readable.getReader();
  const state = { ended: false };
  const take = ({ value, done }: ReadableStreamReadResult<Uint8Array>): void => {
    if (done) state.ended = true;
    else got.push(value);
  };
  const tryTake = (): boolean => {
    const message = readable.tryRead();
    if (message !== undefined) got.push(message);
    return message !== undefined;
  };
  while (!state.ended) {
    for (const op of [...ops, "read"]) {
      if (op === "read") take(await reader.read());
      else if (op === "twoReads") for (const result of await Promise.all([reader.read(), reader.read()])) take(result);
      else if (op === "tryRead") tryTake();
      else if (op === "tryReadAll") while (tryTake());
      else if (op === "turn") await turns(1);
      else {
        const read = op === "giveUp" ? reader.read() : undefined;
        reader.releaseLock();
        // What was there is read all the same; a read that waited is given up.
        await read?.then(take, (error: unknown) => expect(error).toBeInstanceOf(TypeError));
        reader = readable.getReader();
      }
    }
  }
  return got;
}
