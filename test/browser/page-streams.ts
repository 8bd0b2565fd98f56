import type { MessageReadable, MessageWritable } from "../../src/index.ts";
import { fill, receiveAll, sendAll } from "../conformance/load.ts";
import type { Load, RemoteReading, RemoteWriting } from "../conformance/load.ts";

/** The page's side of a RemoteMessageReadable. */
export class PageReadable implements RemoteReading {
  readonly #readable: MessageReadable;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(readable: MessageReadable) {
    this.#readable = readable;
  }

  async read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    this.#reader ??= this.#readable.getReader();
    return await this.#reader.read();
  }

  async cancel(reason: unknown): Promise<void> {
    await (this.#reader ?? this.#readable).cancel(reason);
  }

  async receiveAll(load: Load): Promise<number> {
    return await receiveAll(this.#readable, load);
  }

  /** SHA-256 of all bytes, which are at most so many: there is none in browsers that takes them bit by bit. */
  async sha256(maxBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(maxBytes);
    let length = 0;
    for await (const message of this.#readable) {
      bytes.set(message, length);
      length += message.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(0, length)));
  }
}

/** The page's side of a RemoteMessageWritable. */
export class PageWritable implements RemoteWriting {
  readonly #writable: MessageWritable;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;

  constructor(writable: MessageWritable) {
    this.#writable = writable;
  }

  get ready(): Promise<void> {
    return this.#lock().ready;
  }

  get closed(): Promise<void> {
    return this.#lock().closed;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#lock().write(chunk);
  }

  async close(): Promise<void> {
    await (this.#writer ?? this.#writable).close();
  }

  async abort(reason: unknown): Promise<void> {
    await (this.#writer ?? this.#writable).abort(reason);
  }

  async fill(load: Load): Promise<number> {
    return await fill(this.#writable, load);
  }

  async sendAll(load: Load, count: number): Promise<void> {
    await sendAll(this.#writable, load, count);
  }

  #lock(): WritableStreamDefaultWriter<Uint8Array> {
    return (this.#writer ??= this.#writable.getWriter());
  }
}
