// SPDX-License-Identifier: Apache-2.0
import * as v from "valibot";
import { join } from "node:path";

import { ConecError } from "../../index.ts";
import type { Channel, MessageReadable } from "../../index.ts";
import { jsonMessage, jsonMessages } from "../desk/json-messages.ts";
import { bytesText } from "../output/quantities.ts";
import type { Conflicts, Resolution } from "./conflict.ts";
import {
  contentSchema,
  contentStream,
  filesProtocol,
  maxFileMessageBytes,
  maxOpenEntries,
  senderSchema,
} from "./file-messages.ts";
import type { Entry, FileEntry, ReceiverMessage, SenderMessage } from "./file-messages.ts";
import { sha256OfFile } from "./hash-file.ts";
import { giveName } from "./give-name.ts";
import { Mailbox } from "./mailbox.ts";
import { notTaken, PartFile } from "./part-file.ts";
import { finishFolder, NotTaken } from "./received-folder.ts";
import type { Place, Present, ReceivedFolder } from "./received-folder.ts";

export interface ReceivingOptions {
  channel: Channel;
  folder: ReceivedFolder;
  conflicts: Conflicts;
  /** Who sends, and to whom: parts of files are told apart by it. */
  owner: string;
  /** Places of parts that are being written, over all channels of this process. */
  busy: Set<string>;
  signal: AbortSignal;
  /** So many bytes will come, as far as known; and have come. */
  onExpected: (bytes: number) => void;
  onBytes: (bytes: number) => void;
  onEntry: (news: ReceivedEntry) => void;
}

/** What has become of something that was announced. */
export type ReceivedEntry =
  | { result: "kept" | "same"; kind: Entry["kind"]; path: string; size: number; sha256?: string }
  | { result: "refused"; path: string; code: string; message: string };

type EntryNews =
  Extract<SenderMessage, { type: "sum" | "gone" }> | { type: "content"; readable: MessageReadable; from: number };

/** Takes what one sender sends over one channel. */
export class Receiving {
  readonly #options: ReceivingOptions;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Of entries that are not settled, what comes for each. */
  readonly #open = new Map<number, Mailbox<EntryNews>>();
  /** Of files that are on their way. */
  readonly #readers = new Set<ReadableStreamDefaultReader<Uint8Array>>();
  readonly #folders: { path: string; entry: Entry }[] = [];
  #lastEntry = -1;

  /**
   * Resolves when the sender has said that there is no more and everything is settled.
   *
   * @throws ConecError `protocol-error`, what ended the channel; the signal's reason
   */
  static async run(options: ReceivingOptions): Promise<void> {
    const writable = await options.channel.createUnidirectionalStream({ name: filesProtocol, signal: options.signal });
    const receiving = new Receiving(options, writable.getWriter());
    await receiving.#run();
  }

  private constructor(options: ReceivingOptions, writer: WritableStreamDefaultWriter<Uint8Array>) {
    this.#options = options;
    this.#writer = writer;
    writer.closed.catch(() => {}); // the channel tells
  }

  async #run(): Promise<void> {
    const { channel, signal } = this.#options;
    const tasks = new Set<Promise<void>>();
    const streams = channel.incomingUnidirectionalStreams.getReader();
    let fail!: (error: unknown) => void;
    const failed = new Promise<never>((_resolve, reject) => (fail = reject));
    failed.catch(() => {});
    const abort = (): void => fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const ended = new Promise<void>((resolve) => {
      const read = async (): Promise<void> => {
        for (;;) {
          const { value: readable, done } = await streams.read();
          if (done) throw new ConecError("closed", "The sender closed the channel too early", { remote: true });
          if (readable.name === contentStream) this.#takeContent(readable);
          else if (readable.name === filesProtocol) void this.#hear(readable, tasks, fail).then(resolve, fail);
          else throw fault(`a stream of the name ${JSON.stringify(readable.name)}`);
        }
      };
      read().catch(fail);
    });
    try {
      await Promise.race([ended, failed]);
      await Promise.race([Promise.all(tasks), failed]);
      // The deepest first: what is put into a folder changes its time.
      for (const { path, entry } of this.#folders.reverse()) await finishFolder(path, entry);
    } catch (error) {
      for (const mailbox of this.#open.values()) mailbox.fail(error);
      for (const reader of this.#readers) reader.cancel(error).catch(() => {});
      await Promise.allSettled(tasks); // so that every part is closed
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      streams.releaseLock();
    }
  }

  /** Reads what the sender says, until it says `end`. */
  async #hear(readable: MessageReadable, tasks: Set<Promise<void>>, fail: (error: unknown) => void): Promise<void> {
    for await (const message of jsonMessages(readable, senderSchema, maxFileMessageBytes)) {
      if (message.type === "end") return;
      if (message.type !== "entry") {
        this.#mailbox(message.entry)?.put(message);
        continue;
      }
      // Numbers go up, so that none is used twice.
      if (message.entry <= this.#lastEntry) throw fault("an entry whose number was used");
      if (this.#open.size >= maxOpenEntries) throw fault(`more than ${maxOpenEntries} entries at once`);
      this.#lastEntry = message.entry;
      this.#open.set(message.entry, new Mailbox());
      const task = this.#settle(message).catch(fail);
      tasks.add(task);
      void task.then(() => tasks.delete(task));
    }
    throw new ConecError("closed", "The sender stopped too early", { remote: true });
  }

  #takeContent(readable: MessageReadable): void {
    const parsed = v.safeParse(contentSchema, readable.metadata);
    if (!parsed.success) throw fault("content of no entry");
    const { entry, from } = parsed.output;
    const mailbox = this.#mailbox(entry);
    if (mailbox !== undefined) mailbox.put({ type: "content", readable, from });
    else discard(readable);
  }

  /** Undefined for an entry that is settled: what comes for it was on its way before. */
  #mailbox(entry: number): Mailbox<EntryNews> | undefined {
    if (entry > this.#lastEntry) throw fault("something for an entry that there is not");
    const mailbox = this.#open.get(entry);
    // At most its content, its sum and that it is gone are on their way at once.
    if (mailbox !== undefined && mailbox.size >= 3) throw fault("too much for an entry");
    return mailbox;
  }

  /** Does with an entry whatever is to be done, and tells both sides. */
  async #settle(entry: Entry): Promise<void> {
    const mailbox = this.#open.get(entry.entry)!;
    const shown = entry.path.join("/");
    try {
      const kept = entry.kind === "folder" ? await this.#takeFolder(entry) : await this.#takeFile(entry, mailbox);
      this.#close(entry.entry);
      const { name, same, ...rest } = kept;
      this.#options.onEntry({ result: same ? "same" : "kept", kind: entry.kind, path: name, ...rest });
      this.#say({ type: "kept", entry: entry.entry, name: name.slice(0, 1024), same });
    } catch (thrown) {
      this.#close(entry.entry);
      const error = notTaken(thrown, this.#options.folder.path);
      if (!(error instanceof NotTaken)) throw error;
      const { code, message } = error;
      this.#options.onEntry({ result: "refused", path: shown, code, message });
      this.#say({ type: "refused", entry: entry.entry, code, message: message.slice(0, 1000) });
    }
  }

  /** It is settled; content that nobody has asked for is not waited for by its sender. */
  #close(entry: number): void {
    for (const news of this.#open.get(entry)?.drain() ?? []) if (news.type === "content") discard(news.readable);
    this.#open.delete(entry);
  }

  async #takeFolder(entry: Entry): Promise<Kept> {
    const { folder } = this.#options;
    const place = await folder.place(entry.path);
    const before = await folder.present(place);
    const path = await folder.makeFolder(place);
    this.#folders.push({ path, entry });
    return { name: folder.shown(place), same: before !== undefined, size: 0 };
  }

  async #takeFile(entry: FileEntry, mailbox: Mailbox<EntryNews>): Promise<Kept> {
    const { folder, conflicts, signal, busy, owner } = this.#options;
    const place = await folder.place(entry.path);
    const name = folder.shown(place);
    const present = await folder.present(place);
    if (present !== undefined && (await this.#isSame(entry, place, present, mailbox)))
      return { name, same: true, size: present.size };
    const sizeText = entry.size === undefined ? "bytes" : bytesText(entry.size);
    const resolution = present && (await conflicts.resolve(name, present, sizeText, signal));
    const key = `${owner}\n${join(place.folder, place.name)}`;
    if (busy.has(key)) throw new NotTaken("busy", `${name} is being received from the same sender already`);
    busy.add(key);
    try {
      return await this.#takeContentOf(entry, mailbox, place, resolution);
    } finally {
      busy.delete(key);
    }
  }

  /** Whether what is there is what would come: then nothing needs to come. */
  async #isSame(entry: FileEntry, place: Place, present: Present, mailbox: Mailbox<EntryNews>): Promise<boolean> {
    if (!present.isFile || present.size !== entry.size || present.spelledAs !== undefined) return false;
    this.#say({ type: "compare", entry: entry.entry });
    const sum = await this.#next(mailbox, "sum");
    if (sum.size !== present.size) return false;
    return sum.sha256 === (await sha256OfFile(join(place.folder, place.name), this.#options.signal));
  }

  async #takeContentOf(
    entry: FileEntry,
    mailbox: Mailbox<EntryNews>,
    place: Place,
    resolution: Resolution | undefined,
  ): Promise<Kept> {
    const { owner, signal, folder } = this.#options;
    const part = await PartFile.open(place, owner);
    try {
      if (entry.size === undefined) await part.restart();
      const sha256 = await part.readBack(signal, () => {});
      if (entry.size !== undefined && part.bytes > entry.size) await part.restart();
      await part.assertRoomFor((entry.size ?? 0) - part.bytes);
      const from = part.bytes;
      this.#say({ type: "want", entry: entry.entry, from, ...(from > 0 && { sha256 }) });
      this.#options.onExpected((entry.size ?? from) - from);
      const content = await this.#next(mailbox, "content");
      if (content.from !== part.bytes) {
        if (content.from !== 0) throw fault("content that begins in a place that was not asked for");
        await part.restart();
      }
      await this.#fill(part, content.readable, entry.size ?? Infinity, mailbox);
      const sum = await this.#next(mailbox, "sum");
      const received = part.sha256();
      if (sum.size !== part.bytes || sum.sha256 !== received) {
        await part.remove();
        throw new NotTaken("differs", "The SHA-256 of what came is not that of what was sent; it was thrown away");
      }
      await part.finish(entry);
      const name = await giveName(part.path, place, resolution);
      return { name: folder.shown({ ...place, name }), same: false, size: sum.size, sha256: received };
    } finally {
      await part.close();
    }
  }

  async #fill(part: PartFile, readable: MessageReadable, size: number, mailbox: Mailbox<EntryNews>): Promise<void> {
    const reader = readable.getReader();
    this.#readers.add(reader);
    try {
      for (;;) {
        const { value: message, done } = await reader.read();
        if (done) return;
        if (part.bytes + message.length > size) throw fault("a file that is longer than was said");
        await part.write(message);
        this.#options.onBytes(message.length);
      }
    } catch (error) {
      reader.cancel(error).catch(() => {});
      // The sender says why it has ended the stream early.
      if (error instanceof ConecError && error.code === "aborted") await this.#next(mailbox, "sum");
      throw error;
    } finally {
      this.#readers.delete(reader);
    }
  }

  async #next<Type extends EntryNews["type"]>(
    mailbox: Mailbox<EntryNews>,
    type: Type,
  ): Promise<Extract<EntryNews, { type: Type }>> {
    const news = await mailbox.take();
    if (news.type === type) return news as Extract<EntryNews, { type: Type }>;
    if (news.type === "gone") throw new NotTaken("failed", `The sender cannot go on: ${news.message}`);
    throw fault(`${news.type} where ${type} was expected`);
  }

  #say(message: ReceiverMessage): void {
    this.#writer.write(jsonMessage(message)).catch(() => {}); // the channel tells
  }
}

function discard(readable: MessageReadable): void {
  readable.cancel(new Error("That entry was refused")).catch(() => {});
}

interface Kept {
  name: string;
  same: boolean;
  size: number;
  sha256?: string;
}

function fault(what: string): ConecError {
  return new ConecError("protocol-error", `The sender sent ${what}`, { source: "channel", remote: true });
}
