import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

import { ConecError } from "../../index.ts";
import type { Channel, MessageReadable } from "../../index.ts";
import { jsonMessage, jsonMessages } from "../desk/json-messages.ts";
import { contentStream, filesProtocol, maxFileMessageBytes, receiverSchema } from "./file-messages.ts";
import type { FileEntry, FolderEntry, ReceiverMessage, SenderMessage } from "./file-messages.ts";
import { hashBytes } from "./hash-file.ts";
import { Mailbox } from "./mailbox.ts";
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

/** Sends items over one channel, several at a time, so that many small ones do not wait for each other's answers. */
export class Sending {
  readonly #options: SendingOptions;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #open = new Map<number, Mailbox<ReceiverMessage>>();
  #nextEntry = 0;
  #failure: { error: unknown } | undefined;

  /**
   * Resolves when everything is settled; what the receiver refused is told by `onItem`.
   *
   * @throws ConecError `protocol-error`, what ended the channel; the signal's reason
   */
  static async run(options: SendingOptions): Promise<void> {
    const writable = await options.channel.createUnidirectionalStream({ name: filesProtocol, signal: options.signal });
    await new Sending(options, writable.getWriter()).#run();
  }

  private constructor(options: SendingOptions, writer: WritableStreamDefaultWriter<Uint8Array>) {
    this.#options = options;
    this.#writer = writer;
    writer.closed.catch(() => {}); // the channel tells
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    const source = this.#options.items[Symbol.asyncIterator]();
    // The walk is asked by one lane at a time.
    let asked: Promise<unknown> = Promise.resolve();
    const take = async (): Promise<Item | undefined> => {
      const taken = asked.then(() => source.next());
      asked = taken.catch(() => {});
      const { value, done } = await taken;
      return done === true ? undefined : value;
    };
    const lane = async (): Promise<void> => {
      for (let item = await take(); item !== undefined; item = await take()) await this.#send(item);
    };
    let onAbort!: () => void;
    const aborted = new Promise<never>((_resolve, reject) => (onAbort = () => reject(signal.reason as Error)));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([Promise.all(Array.from({ length: laneCount }, lane)), this.#listen(), aborted]);
      this.#say({ type: "end" });
      // Closing the channel would cut what is on its way. The receiver may hang up when it has read this.
      await Promise.race([this.#writer.close().catch(() => {}), aborted]);
    } catch (error) {
      // The lanes end with this, or with the channel, which the caller closes.
      this.#failure = { error };
      for (const mailbox of this.#open.values()) mailbox.fail(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #listen(): Promise<never> {
    const streams = this.#options.channel.incomingUnidirectionalStreams.getReader();
    let readable: MessageReadable;
    try {
      const { value, done } = await streams.read();
      if (done) throw new ConecError("closed", "The receiver closed the channel", { remote: true });
      readable = value;
    } finally {
      streams.releaseLock();
    }
    if (readable.name !== filesProtocol) throw fault("a stream that is not of this protocol");
    for await (const message of jsonMessages(readable, receiverSchema, maxFileMessageBytes)) {
      if (message.entry >= this.#nextEntry) throw fault("something about an entry that there is not");
      const mailbox = this.#open.get(message.entry);
      if (mailbox !== undefined && mailbox.size > maxUnheard) throw fault("too much about an entry");
      mailbox?.put(message);
    }
    throw new ConecError("closed", "The receiver ended the conversation", { remote: true });
  }

  /** One item, from its announcement to what has become of it. */
  async #send(item: Item): Promise<void> {
    const { onItem, signal } = this.#options;
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
    let handle: FileHandle | undefined;
    const mailbox = new Mailbox<ReceiverMessage>();
    const entry = this.#nextEntry;
    this.#nextEntry += 1;
    this.#open.set(entry, mailbox);
    let isAnnounced = false;
    try {
      if (item.kind === "file") handle = await open(item.source);
      this.#say({ type: "entry", entry, ...announcementOf(item) });
      isAnnounced = true;
      onItem(item, await new Outgoing(entry, item, handle, mailbox, this.#options, (sum) => this.#say(sum)).run());
    } catch (error) {
      if (!isOfTheDisk(error)) throw error;
      if (isAnnounced) {
        this.#say({ type: "gone", entry, message: "it cannot be read any more" });
        let answer: ReceiverMessage;
        do answer = await mailbox.take();
        while (answer.type !== "kept" && answer.type !== "refused");
      }
      onItem(item, { result: "unreadable", code: "unreadable", message: (error as Error).message });
    } finally {
      this.#open.delete(entry);
      await handle?.close();
    }
  }

  #say(message: SenderMessage): void {
    this.#writer.write(jsonMessage(message)).catch(() => {}); // the channel tells
  }
}

function announcementOf(item: Item): Announcement {
  const path = [...item.path];
  if (item.kind === "stream") return { kind: "file", path };
  const { modifiedMs, mode, size } = item;
  return item.kind === "file"
    ? { kind: "file", path, modifiedMs, mode, size }
    : { kind: "folder", path, modifiedMs, mode };
}

/** An `entry` message without its number. */
type Announcement = Omit<FileEntry, "type" | "entry"> | Omit<FolderEntry, "type" | "entry">;

/** One entry on its way. */
class Outgoing {
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
class FileChanged extends Error {
  override readonly name = "FileChanged";
  constructor() {
    super("It was changed while it was read");
  }
}

/** Entries that are on their way at once. */
const laneCount = 8;
const chunkBytes = 64 * 1024;
/** Answers about one entry that have not been looked at. */
const maxUnheard = 3;

/** A fault of the file, which ends nothing but its own sending. */
function isOfTheDisk(thrown: unknown): boolean {
  if (thrown instanceof FileChanged) return true;
  return !(thrown instanceof ConecError) && typeof (thrown as NodeJS.ErrnoException).syscall === "string";
}

function fault(what: string): ConecError {
  return new ConecError("protocol-error", `The receiver sent ${what}`, { source: "channel", remote: true });
}
