/** Each test runs on a SinkWriter and on the WritableStream that it stands for. */
import { describe, expect, test } from "vitest";
import { SinkWriter } from "../../src/streams/sink-writer.ts";
import type { ByteWriter } from "../../src/core/transport.ts";
import type { ByteSink, SinkController } from "../../src/streams/sink-writer.ts";

const makers: [name: string, make: (sink: ByteSink) => ByteWriter][] = [
  ["SinkWriter", (sink) => new SinkWriter(sink)],
  ["WritableStream", (sink) => new WritableStream(sink).getWriter()],
];

/** A sink that notes its calls, and whose writes end when the test says so. */
class TestSink implements ByteSink {
  readonly calls: string[] = [];
  readonly waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  controller!: SinkController;
  waits = false;

  start(controller: SinkController): void {
    this.controller = controller;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    this.calls.push(`write ${chunk[0]}`);
    if (!this.waits) return undefined;
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  close(): void {
    this.calls.push("close");
  }

  abort(reason: unknown): void {
    this.calls.push(`abort ${String(reason)}`);
  }
}

const chunk = (value: number): Uint8Array => Uint8Array.of(value);
const settled = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "done", String);

describe.each(makers)("%s", (_, make) => {
  test("writes in order, one at a time, and closes behind", async () => {
    const sink = new TestSink();
    const writer = make(sink);
    await writer.write(chunk(0));
    sink.waits = true;
    const writes = [writer.write(chunk(1)), writer.write(chunk(2))];
    const closing = writer.close();
    await Promise.resolve();
    expect(sink.calls).toEqual(["write 0", "write 1"]);
    expect(writer.desiredSize).toBeLessThanOrEqual(0);
    sink.waiting[0]!.resolve();
    await writes[0];
    await Promise.resolve();
    expect(sink.calls).toEqual(["write 0", "write 1", "write 2"]);
    sink.waiting[1]!.resolve();
    await Promise.all([...writes, closing, writer.closed]);
    expect(sink.calls).toEqual(["write 0", "write 1", "write 2", "close"]);
  });

  test("ready waits for the chunk on its way", async () => {
    const sink = new TestSink();
    sink.waits = true;
    const writer = make(sink);
    await writer.ready;
    const writing = writer.write(chunk(1));
    let ready = false;
    const waiting = writer.ready.then(() => (ready = true));
    await Promise.resolve();
    await Promise.resolve();
    expect(ready).toBe(false);
    sink.waiting[0]!.resolve();
    await Promise.all([writing, waiting]);
    expect(writer.desiredSize).toBe(1);
  });

  test("an error of the sink ends everything", async () => {
    const sink = new TestSink();
    sink.waits = true;
    const writer = make(sink);
    const results = [writer.write(chunk(1)), writer.write(chunk(2)), writer.close(), writer.closed].map(settled);
    await Promise.resolve();
    await Promise.resolve();
    sink.waiting[0]!.reject("broken");
    expect(await Promise.all(results)).toEqual(["broken", "broken", "broken", "broken"]);
    expect(await settled(writer.write(chunk(3)))).toBe("broken");
    expect(writer.desiredSize).toBe(null);
    expect(sink.calls).toEqual(["write 1"]);
  });

  test("an error from outside ends what waits", async () => {
    const sink = new TestSink();
    const writer = make(sink);
    await writer.write(chunk(1));
    const closed = settled(writer.closed);
    sink.controller.error("lost");
    expect(await closed).toBe("lost");
    expect(await settled(writer.write(chunk(2)))).toBe("lost");
  });

  test("abort tells the sink, also one that is busy", async () => {
    const sink = new TestSink();
    sink.waits = true;
    const writer = make(sink);
    const writing = settled(writer.write(chunk(1)));
    await Promise.resolve();
    sink.controller.signal.addEventListener("abort", () => sink.waiting[0]!.resolve());
    const waiting = settled(writer.write(chunk(2)));
    await writer.abort("enough");
    await writing;
    expect(await waiting).toBe("enough");
    expect(await settled(writer.closed)).toBe("enough");
    expect(sink.calls).toEqual(["write 1", "abort enough"]);
  });

  test("nothing goes in behind close", async () => {
    const writer = make(new TestSink());
    const closing = writer.close();
    expect(await settled(writer.write(chunk(1)))).toMatch("TypeError");
    expect(await settled(writer.close())).toMatch("TypeError");
    await closing;
  });
});
