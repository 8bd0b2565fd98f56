// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

import { ConecError } from "../../index.ts";
import type { Channel } from "../../index.ts";
import { contentStream } from "./file-messages.ts";
import type { ReceiverMessage, SenderMessage } from "./file-messages.ts";
import { hashBytes } from "./hash-file.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Found } from "./walk.ts";

/** What is sent: something found on the disk, or bytes that come once. */
export type Item = Found | { kind: "stream"; path: readonly string[]; stream: AsyncIterable<Uint8Array> };

export interface SendingOptions {
  channel: Channel;
  items: AsyncIterable<Item>;
  signal: AbortSignal;
  /** Bytes that were sent, or need not be sent; fewer than none when they must be sent after all. */
  onBytes: (bytes: number, isSent: boolean) => void;
  onItem: (item: Item, result: SentItem) => void;
}

/** What has become of an item. */
export type SentItem =
  | { result: "kept" | "same"; name: string; size: number; sha256?: string }
  | { result: "refused" | "unreadable"; code: string; message: string };

/** One entry on its way. */
export class Outgoing {
  readonly #entry: number;
  readonly #item: Item;
  readonly #handle: FileHandle | undefined;
  readonly #mailbox: Mailbox<ReceiverMessage>;
  readonly #options: SendingOptions;
  readonly #say: (message: SenderMessage) => void;
  #sha256: string | undefined;
  #size: number;

  constructor(
    entry: number,
    item: Item,
    handle: FileHandle | undefined,
    mailbox: Mailbox<ReceiverMessage>,
    options: SendingOptions,
    say: (message: SenderMessage) => void,
  ) {
    this.#entry = entry;
    this.#item = item;
    this.#handle = handle;
    this.#mailbox = mailbox;
    this.#options = options;
    this.#say = say;
    this.#size = item.kind === "file" ? item.size : 0;
  }

  async run(): Promise<SentItem> {
    let hasSent = false;
    for (;;) {
      const answer = await this.#mailbox.take();
      switch (answer.type) {
        case "compare":
          if (this.#handle === undefined) throw fault("a question about something that has no content yet");
          await this.#compare(this.#handle);
          break;
        case "want":
          if (hasSent || this.#item.kind === "folder") throw fault("a wish for what is not to be had");
          hasSent = true;
          await this.#content(answer);
          break;
        case "kept": {
          if (answer.same && !hasSent) this.#options.onBytes(this.#size, false);
          const sha256 = this.#sha256 === undefined ? {} : { sha256: this.#sha256 };
          return { result: answer.same ? "same" : "kept", name: answer.name, size: this.#size, ...sha256 };
        }
        case "refused":
          return { result: "refused", code: answer.code, message: answer.message };
      }
    }
  }

  async #compare(handle: FileHandle): Promise<void> {
    const hash = createHash("sha256");
    const size = await hashBytes(handle, hash, this.#size, this.#options.signal);
    this.#sha256 = hash.digest("hex");
    this.#say({ type: "sum", entry: this.#entry, size, sha256: this.#sha256 });
  }

  async #content({ from, sha256 }: Extract<ReceiverMessage, { type: "want" }>): Promise<void> {
    const { channel, signal, onBytes } = this.#options;
    let hash = createHash("sha256");
    let start = 0;
    if (from > 0) {
      if (this.#handle === undefined || from > this.#size) throw fault("a wish for what is not to be had");
      const there = await hashBytes(this.#handle, hash, from, signal);
      if (there === from && hash.copy().digest("hex") === sha256) start = from;
      else hash = createHash("sha256");
    }
    onBytes(start, false);
    const metadata = { entry: this.#entry, from: start };
    const writable = await channel.createUnidirectionalStream({ name: contentStream, metadata, signal });
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    try {
      const source = this.#handle === undefined ? this.#stream() : this.#chunks(this.#handle, start);
      await this.#pump(source, writer, hash);
      await writer.close();
    } catch (error) {
      writer.abort(error).catch(() => {});
      // The receiver has had enough, and says why.
      if (error instanceof ConecError && error.code === "cancelled") return;
      throw error;
    }
    this.#sha256 = hash.digest("hex");
    this.#say({ type: "sum", entry: this.#entry, size: this.#size, sha256: this.#sha256 });
  }

  async #pump(
    source: AsyncIterable<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    hash: Hash,
  ): Promise<void> {
    for await (const chunk of source) {
      this.#options.signal.throwIfAborted();
      hash.update(chunk);
      await writer.write(chunk);
      if (this.#item.kind === "stream") this.#size += chunk.length;
      this.#options.onBytes(chunk.length, true);
    }
  }

  /** The bytes of the file as it was announced. @throws FileChanged when it is another one meanwhile */
  async *#chunks(handle: FileHandle, start: number): AsyncGenerator<Uint8Array> {
    // In turn, so that one is read while the other is sent.
    const buffers = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
    const read = (offset: number, turn: number) =>
      handle.read(buffers[turn]!, 0, Math.min(chunkBytes, this.#size - offset), offset);
    let offset = start;
    let turn = 0;
    let reading = offset < this.#size ? read(offset, turn) : undefined;
    while (reading !== undefined) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) throw new FileChanged();
      const chunk = buffers[turn]!.subarray(0, bytesRead);
      offset += bytesRead;
      turn = 1 - turn;
      reading = offset < this.#size ? read(offset, turn) : undefined;
      reading?.catch(() => {}); // looked at in the next round
      yield chunk;
    }
    const { size, mtimeMs } = await handle.stat();
    const { modifiedMs } = this.#item as Found;
    if (size !== this.#size || Math.max(0, Math.floor(mtimeMs)) !== modifiedMs) throw new FileChanged();
  }

  async *#stream(): AsyncGenerator<Uint8Array> {
    if (this.#item.kind !== "stream") return;
    for await (const chunk of this.#item.stream) {
      // A message has a limit, what comes from a pipe has none.
      for (let at = 0; at < chunk.length; at += chunkBytes) yield chunk.subarray(at, at + chunkBytes);
    }
  }
}

/** The file is not any more what was announced. */
export class FileChanged extends Error {
  override readonly name = "FileChanged";
  constructor() {
    super("It was changed while it was read");
  }
}

/** What a receiver may not do ends the channel. */
export function fault(what: string): ConecError {
  return new ConecError("protocol-error", `The receiver sent ${what}`, { source: "channel", remote: true });
}

const chunkBytes = 64 * 1024;
