import { beforeAll, afterAll, expect } from "vitest";
import { ConecError, reasonText, streamErrorCodeOf } from "../../src/core/errors.ts";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";
import { MessageReadable } from "../../src/streams/message-readable.ts";
import { MessageSink } from "../../src/streams/message-sink.ts";
import { MessageSource } from "../../src/streams/message-source.ts";
import { MessageWritable } from "../../src/streams/message-writable.ts";

/** Both halves of a message stream over a byte pipe, joined as a channel joins them, without the control stream. */
export function createMessagePipe(options: { maxMessageBytes?: number; maxReadBytes?: number } = {}) {
  const { maxMessageBytes = 1024 * 1024, maxReadBytes = maxMessageBytes } = options;
  const bytes = createBytePipe();
  let confirm!: () => void;
  const received = new Promise<void>((resolve) => (confirm = resolve));
  const sink: MessageSink = new MessageSink({
    maxMessageBytes,
    hooks: {
      confirm: () => received,
      aborted: (reason) => source.fail(toldError("aborted", reason)),
      broken: (error) => {
        sink.fail(error);
        source.fail(toldError("aborted", error));
      },
    },
  });
  const source: MessageSource = new MessageSource({
    maxMessageBytes: maxReadBytes,
    hooks: {
      ended: () => confirm(),
      cancelled: (reason) => sink.fail(toldError("cancelled", reason)),
      broken: (error) => {
        if (error.code !== "aborted") source.fail(error);
      },
    },
  });
  sink.attach(bytes.writable.getWriter());
  const writable = new MessageWritable(sink);
  const readable = new MessageReadable(source);
  source.attach(new Uint8Array(0), bytes.readable.getReader());
  return { writable, readable, sink, source, bytes };
}

/** A writable over a byte stream that keeps every chunk it is given. */
export function createRecorder(options: { maxMessageBytes?: number } = {}) {
  const chunks: Uint8Array[] = [];
  const bytes = new WritableStream<Uint8Array>({ write: (chunk) => void chunks.push(chunk.slice()) });
  const sink = new MessageSink({ maxMessageBytes: options.maxMessageBytes ?? 1024 * 1024 });
  sink.attach(bytes.getWriter());
  return { writable: new MessageWritable(sink), sink, chunks };
}

/** A writable over a byte stream that takes nothing until it is opened. */
export function createGate({ highWaterMark = 1, maxMessageBytes = 1024 * 1024, confirm, broken }: GateOptions = {}) {
  let open!: () => void;
  let controller!: WritableStreamDefaultController;
  let failed: ConecError | undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const chunks: Uint8Array[] = [];
  const aborted: unknown[] = [];
  const bytesAborted: unknown[] = [];
  const bytes = new WritableStream<Uint8Array>(
    {
      start: (given) => void (controller = given),
      write: async (chunk) => {
        await gate;
        if (failed !== undefined) throw failed;
        chunks.push(chunk.slice());
      },
      abort: (reason) => void bytesAborted.push(reason),
    },
    { highWaterMark, size: (chunk) => chunk.length },
  );
  const sink = new MessageSink({
    maxMessageBytes,
    hooks: { aborted: (reason) => void aborted.push(reason), ...(confirm && { confirm }), ...(broken && { broken }) },
  });
  sink.attach(bytes.getWriter());
  const fail = (error: ConecError): void => {
    failed = error;
    controller.error(error);
    open(); // a transport that fails lets go of the write in flight
  };
  return { writable: new MessageWritable(sink), sink, chunks, aborted, bytesAborted, open, fail };
}

interface GateOptions {
  /** Bytes that the byte stream queues before it is full. */
  highWaterMark?: number;
  maxMessageBytes?: number;
  confirm?: () => Promise<void>;
  broken?: (error: ConecError) => void;
}

function toldError(code: "aborted" | "cancelled", reason: unknown): ConecError {
  const streamErrorCode = streamErrorCodeOf(reason);
  return new ConecError(code, reasonText(reason), {
    source: "stream",
    remote: true,
    ...(streamErrorCode !== undefined && { streamErrorCode }),
  });
}

export async function collect(readable: ReadableStream<Uint8Array>): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  const reader = readable.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return messages;
    messages.push(value);
  }
}

/** Bytes in which a shifted, lost or doubled piece shows. */
export function patterned(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed * 101) & 0xff);
}

export function text(message: Uint8Array | undefined): string | undefined {
  return message && new TextDecoder().decode(message);
}

export function bytesOf(message: string): Uint8Array {
  return new TextEncoder().encode(message);
}

/** Lets everything run that needs no clock: to see that something does not happen. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(
    () => (pending = false),
    () => (pending = false),
  );
  await turns();
  return pending;
}

/** Fails the file if a promise of its tests was rejected and nobody had a handler on it. */
export function refuseUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(() => void process.on("unhandledRejection", note));
  afterAll(async () => {
    await turns();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
}
