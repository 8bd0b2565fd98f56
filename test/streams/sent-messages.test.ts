import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";
import { MessageReadable } from "../../src/streams/message-readable.ts";
import { MessageSink } from "../../src/streams/message-sink.ts";
import { MessageSource } from "../../src/streams/message-source.ts";
import { MessageWritable } from "../../src/streams/message-writable.ts";
import { Retention, SentMessages } from "../../src/streams/sent-messages.ts";
import { headerLength, writeHeader } from "../../src/streams/framing.ts";
import { patterned, refuseUnhandledRejections, turns } from "./message-pipe.ts";

refuseUnhandledRejections();

function frames(lengths: number[], first = 0): Uint8Array {
  const parts = lengths.map((length, index) => {
    const bytes = new Uint8Array(headerLength(length) + length);
    bytes.fill(first + index, writeHeader(bytes, 0, length));
    return bytes;
  });
  return Buffer.concat(parts);
}

describe("SentMessages", () => {
  const create = (retention = new Retention(1000, 10_000)) => {
    const dropped: number[] = [];
    const sent = new SentMessages(retention, ({ bytes }) => dropped.push(bytes.length));
    return { sent, dropped, retention };
  };

  test("gives out what follows a number of messages, from within a chunk too", () => {
    const { sent } = create();
    sent.append({ bytes: frames([1, 2, 3]), messages: 3, ends: false });
    sent.append({ bytes: frames([70], 3), messages: 1, ends: false });
    const rest = (count: number): string => {
      const { chunks, skippedBytes } = sent.from(count)!;
      return Buffer.concat(chunks.map(({ bytes }) => bytes))
        .subarray(skippedBytes)
        .toString("hex");
    };
    const all = Buffer.concat([frames([1, 2, 3]), frames([70], 3)]).toString("hex");
    expect([0, 1, 2, 3, 4].map(rest)).toEqual([0, 4, 10, 18, all.length].map((from) => all.slice(from)));
    expect(sent.from(5)).toBeUndefined();
  });

  test("the end is kept until the stream is over", () => {
    const { sent } = create();
    sent.append({ bytes: Uint8Array.of(...frames([1]), 0), messages: 1, ends: true });
    expect(sent.confirm(1)).toBe(true);
    const { chunks, skippedBytes } = sent.from(1)!;
    expect(chunks[0]!.bytes.subarray(skippedBytes)).toEqual(Uint8Array.of(0));
  });

  test("what is confirmed is dropped, and more than was sent cannot be", () => {
    const { sent, dropped, retention } = create();
    for (let i = 0; i < 3; i += 1) sent.append({ bytes: frames([9]), messages: 1, ends: false });
    expect(sent.confirm(2)).toBe(true);
    expect(dropped.length).toBe(2);
    expect(retention.kept).toBe(10);
    expect(sent.confirm(4)).toBe(false);
    expect(sent.confirm(1)).toBe(true);
    expect(sent.confirmed).toBe(2);
    expect(sent.from(1)).toBeUndefined();
  });

  test("of too much the oldest is forgotten; confirmed, the stream can be resumed again", () => {
    const { sent } = create(new Retention(1000, 25));
    for (let i = 0; i < 4; i += 1) sent.append({ bytes: frames([9]), messages: 1, ends: false });
    expect(sent.from(1)).toBeUndefined();
    expect(sent.from(2)!.chunks.length).toBe(2);
    sent.confirm(2);
    expect(sent.from(2)!.chunks.length).toBe(2);
  });

  test("is full with so much of one stream, until some is confirmed", () => {
    const { sent } = create(new Retention(20, 1000));
    sent.append({ bytes: frames([9]), messages: 1, ends: false });
    expect(sent.isFull).toBe(false);
    sent.append({ bytes: frames([9]), messages: 1, ends: false });
    expect(sent.isFull).toBe(true);
    sent.confirm(1);
    expect(sent.isFull).toBe(false);
  });

  test("all streams together keep no more than they may", () => {
    const retention = new Retention(1000, 100);
    const [first, second] = [create(retention), create(retention)];
    for (let i = 0; i < 20; i += 1) {
      (i % 2 === 0 ? first : second).sent.append({ bytes: frames([9]), messages: 1, ends: false });
      expect(retention.kept).toBeLessThanOrEqual(100);
    }
    first.sent.clear();
    second.sent.clear();
    expect(retention.kept).toBe(0);
  });
});

/** A stream whose byte streams are exchanged at any moment, and whose reader is told where the next one goes on. */
test("any writes, reads and exchanges of the byte stream: every message once, in order", async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), length: fc.nat({ max: 9000 }) }) },
    { weight: 3, arbitrary: fc.constant({ do: "turn" as const }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("confirm" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("exchange" as const), away: fc.boolean() }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let over = false;
      let finished!: () => void;
      const received = new Promise<void>((resolve) => (finished = resolve));
      const retention = new Retention(1e6, 1e6);
      const hooks = { confirm: () => received, broken: () => {} };
      const sink = new MessageSink({ maxMessageBytes: 10_000, retention, hooks });
      const source = new MessageSource({
        maxMessageBytes: 10_000,
        hooks: { ended: () => finished(), broken: () => {} },
      });
      const writable = new MessageWritable(sink);
      const readable = new MessageReadable(source);
      const connect = (): void => {
        const { readable: bytes, writable: target } = createBytePipe();
        source.attach(new Uint8Array(0), bytes.getReader());
        expect(sink.attach(target.getWriter(), source.received)).toBe(!over);
      };
      connect();
      const got: Uint8Array[] = [];
      const reading = (async () => {
        for await (const message of readable) got.push(message.slice());
      })();
      const writer = writable.getWriter();
      const written: Uint8Array[] = [];
      const disconnect = (): void => {
        sink.detach(undefined);
        source.detach();
      };
      for (const each of steps) {
        if (each.do === "write") {
          const message = patterned(each.length, written.length);
          written.push(message);
          void writer.write(message.slice());
        } else if (each.do === "turn") await turns(1);
        else if (each.do === "confirm") expect(sink.confirm(source.received)).toBe(true);
        else {
          disconnect();
          if (each.away) await turns(1);
          connect();
        }
      }
      const closed = writer.close().then(() => (over = true));
      await turns(1);
      disconnect();
      connect();
      await Promise.all([closed, reading]);
      expect(got.map((message) => Buffer.from(message))).toEqual(written.map((message) => Buffer.from(message)));
      expect(retention.kept).toBe(0);
    }),
    { numRuns: 60 },
  );
});
