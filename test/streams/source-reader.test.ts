/** Each test runs on a SourceReader and on the ReadableStream that it stands for. */
import { describe, expect, test } from "vitest";
import { SourceReader } from "../../src/streams/source-reader.ts";
import type { ByteReader } from "../../src/core/transport.ts";
import type { ByteProducer, SourceController } from "../../src/streams/source-reader.ts";

const makers: [name: string, make: (source: TestSource) => ByteReader][] = [
  ["SourceReader", (source) => new SourceReader(source)],
  ["ReadableStream", (source) => new ReadableStream(source, { highWaterMark: 0 }).getReader()],
];

class TestSource implements ByteProducer {
  controller!: SourceController;
  pulls = 0;
  cancelled: unknown;

  start(controller: SourceController): void {
    this.controller = controller;
  }

  pull(): void {
    this.pulls += 1;
  }

  cancel(reason: unknown): void {
    this.cancelled = reason;
  }
}

const chunk = (value: number): Uint8Array<ArrayBuffer> => Uint8Array.of(value);

describe.each(makers)("%s", (_, make) => {
  test("pulls when it is read, and serves reads in order", async () => {
    const source = new TestSource();
    const reader = make(source);
    await Promise.resolve();
    expect(source.pulls).toBe(0);
    const reads = [reader.read(), reader.read()];
    await Promise.resolve();
    expect(source.pulls).toBeGreaterThan(0);
    source.controller.enqueue(chunk(1));
    source.controller.enqueue(chunk(2));
    expect(await Promise.all(reads)).toEqual([
      { value: chunk(1), done: false },
      { value: chunk(2), done: false },
    ]);
  });

  test("close ends reads that wait, and those that come", async () => {
    const source = new TestSource();
    const reader = make(source);
    const read = reader.read();
    await Promise.resolve();
    source.controller.close();
    expect(await read).toEqual({ value: undefined, done: true });
    expect(await reader.read()).toEqual({ value: undefined, done: true });
    await reader.closed;
  });

  test("an error ends reads that wait, and those that come", async () => {
    const source = new TestSource();
    const reader = make(source);
    const read = reader.read();
    await Promise.resolve();
    source.controller.error("broken");
    for (const pending of [read, reader.read(), reader.closed]) await expect(pending).rejects.toBe("broken");
  });

  test("cancel tells the source, and ends reads that wait", async () => {
    const source = new TestSource();
    const reader = make(source);
    const read = reader.read();
    await Promise.resolve();
    await reader.cancel("enough");
    expect(source.cancelled).toBe("enough");
    expect(await read).toEqual({ value: undefined, done: true });
    await reader.closed;
  });
});
