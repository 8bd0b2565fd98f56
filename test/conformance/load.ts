/** What a test does with many messages. It is done where the stream is, which may be in another process. */
import { MessageReadable, MessageWritable } from "../../src/index.ts";
import { isMessage, message, random } from "../support/messages.ts";

/** Numbered messages, whose content follows from their number. */
export interface Load {
  /** Number of the first one. Default 0. */
  first?: number;
  /** How long each is. `"rising"`: 0, 1000, 2000 and so on. `"mixed"`: 0 to 200 KB, most of them short. */
  bytes: number | "rising" | "mixed";
}

/** These functions, bound to a stream in another process. */
export interface RemoteWriting {
  sendAll(load: Load, count: number): Promise<void>;
  fill(load: Load): Promise<number>;
}
export interface RemoteReading {
  receiveAll(load: Load): Promise<number>;
}

type Readable = ReadableStream<Uint8Array<ArrayBuffer>> & Pick<MessageReadable, "name" | "metadata">;
export type TestReadable = MessageReadable | (Readable & RemoteReading);
export type TestWritable = MessageWritable | (WritableStream<Uint8Array> & RemoteWriting);

/** Writes so many messages, each when the writer is ready, and closes the stream. */
export async function sendAll(writable: TestWritable, load: Load, count: number): Promise<void> {
  if (!(writable instanceof MessageWritable)) return await writable.sendAll(load, count);
  const writer = writable.getWriter();
  for (let i = 0; i < count; i++) {
    await writer.ready;
    writer.write(nth(load, i)).catch(() => {});
  }
  await writer.close();
}

/** Reads the stream to its end. Resolves with how many messages it held; rejects when one is not as it was sent. */
export async function receiveAll(readable: TestReadable, load: Load): Promise<number> {
  if (!(readable instanceof MessageReadable)) return await readable.receiveAll(load);
  let received = 0;
  for await (const each of readable) {
    const { index, bytes } = shape(load, received);
    if (!isMessage(each, index, bytes)) throw new Error(`Message ${index} arrived wrong`);
    received += 1;
  }
  return received;
}

/** Calls `tryWrite` until it does not take a message. Resolves with how many it took. */
export async function fill(writable: TestWritable, load: Load): Promise<number> {
  if (!(writable instanceof MessageWritable)) return await writable.fill(load);
  let taken = 0;
  while (writable.tryWrite(nth(load, taken))) taken += 1;
  return taken;
}

function nth(load: Load, i: number): Uint8Array {
  const { index, bytes } = shape(load, i);
  return message(index, bytes);
}

function shape({ first = 0, bytes }: Load, i: number): { index: number; bytes: number } {
  const index = first + i;
  if (bytes === "rising") return { index, bytes: 1000 * i };
  return { index, bytes: bytes === "mixed" ? Math.floor(200_001 * random(index) ** 40) : bytes };
}
