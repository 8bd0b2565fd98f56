// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

import { ConecError } from "../../index.ts";
import type { MessageReadable } from "../../index.ts";
import { jsonMessage, jsonMessages } from "../desk/json-messages.ts";
import { filesProtocol, maxFileMessageBytes, receiverSchema } from "./file-messages.ts";
import type { FileEntry, FolderEntry, ReceiverMessage, SenderMessage } from "./file-messages.ts";
import { Mailbox } from "./mailbox.ts";
import { fault, FileChanged, Outgoing } from "./outgoing.ts";
import type { Item, SendingOptions } from "./outgoing.ts";

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

/** Entries that are on their way at once. */
const laneCount = 8;
/** Answers about one entry that have not been looked at. */
const maxUnheard = 3;

/** A fault of the file, which ends nothing but its own sending. */
function isOfTheDisk(thrown: unknown): boolean {
  if (thrown instanceof FileChanged) return true;
  return !(thrown instanceof ConecError) && typeof (thrown as NodeJS.ErrnoException).syscall === "string";
}
