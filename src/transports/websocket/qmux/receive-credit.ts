// SPDX-License-Identifier: Apache-2.0
import { encodeFrame } from "./frames.ts";
import { QmuxError } from "./qmux-error.ts";
import type { ReceiveStream } from "./receive-stream.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { RecordWriter } from "./record-writer.ts";

/** What a stream may send before anybody has read of it, and while its reader is fast. */
export const streamWindowBytes = { initial: 128 * 1024, max: 4 * 1024 * 1024 } as const;

/**
 * The credit that the other end has, for each stream and for all of them. All unread bytes together are bounded. Half of
 * that is left to streams with small windows, so that a few that were fast and have stalled do not take it all.
 */
export class ReceiveCredit {
  readonly #window: ReceiveWindow;
  readonly #maxGrownBytes: number;
  /** By how much windows of streams are larger now than at first, together. */
  #grownBytes = 0;
  /** Streams whose window is to be moved on. */
  readonly #due = new Set<ReceiveStream>();

  constructor(maxUnreadBytes: number, nowMs: number) {
    this.#window = new ReceiveWindow(maxUnreadBytes, nowMs);
    this.#maxGrownBytes = maxUnreadBytes / 2;
  }

  /** Bytes come in, or count as if they did. @throws QmuxError FLOW_CONTROL_ERROR */
  receive(stream: ReceiveStream, bytes: number): void {
    if (stream.window.receive(bytes) && this.#window.receive(bytes)) return;
    throw new QmuxError("FLOW_CONTROL_ERROR", "more bytes than it may");
  }

  /** Bytes were read or thrown away. */
  consume(stream: ReceiveStream, bytes: number): void {
    this.#window.consume(bytes);
    stream.window.consume(bytes);
    if (stream.isOpen && stream.window.isDue) this.#due.add(stream);
  }

  /** Whether the other end is to be told of more. */
  get isDue(): boolean {
    return this.#window.isDue || this.#due.size > 0;
  }

  /** Nothing more comes in on this stream. */
  end(stream: ReceiveStream): void {
    this.#due.delete(stream);
    this.#grownBytes -= stream.window.windowBytes - streamWindowBytes.initial;
  }

  clear(): void {
    this.#due.clear();
  }

  /** Puts what is due into a record. A limit holds from then on. False if the record has no room for all. */
  fillRecord(record: RecordWriter, nowMs: number): boolean {
    if (!record.hasRoom(maxFrameBytes)) return false;
    const limit = this.#window.update(nowMs, 0);
    if (limit !== undefined) record.add(encodeFrame({ type: "max-data", limit }));
    for (const stream of this.#due) {
      if (!record.hasRoom(maxFrameBytes)) return false;
      this.#due.delete(stream);
      const streamLimit = this.#update(stream.window, nowMs);
      if (streamLimit === undefined) continue;
      record.add(encodeFrame({ type: "max-stream-data", id: stream.id!, limit: streamLimit }));
    }
    return true;
  }

  #update(window: ReceiveWindow, nowMs: number): number | undefined {
    const before = window.windowBytes;
    const maxGrowth = Math.min(streamWindowBytes.max - before, this.#maxGrownBytes - this.#grownBytes);
    const limit = window.update(nowMs, Math.max(0, maxGrowth));
    this.#grownBytes += window.windowBytes - before;
    return limit;
  }
}

/** A type, an id and a number, as varints. */
export const maxFrameBytes = 1 + 8 + 8;
