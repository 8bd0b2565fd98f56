// SPDX-License-Identifier: Apache-2.0
import type { ByteWriter } from "../core/transport.ts";
import { giveBack } from "./buffer-pool.ts";
import { abortMarker } from "./framing.ts";
import { ignore } from "./ignore.ts";
import { closeOrReset, resetLater } from "./linger.ts";
import { Retention, SentMessages } from "./sent-messages.ts";
import type { SentChunk } from "./sent-messages.ts";

export interface MessageOutletOptions {
  /** How much is kept until the other end confirms it. Undefined: nothing, the stream cannot be resumed. */
  retention: Retention | undefined;
  /** The transport's stream broke; nothing is sent until {@link MessageOutlet.attach}. */
  onBroken: (thrown: unknown) => void;
}

interface Chunk extends SentChunk {
  /** Whether its memory is borrowed. */
  readonly borrowed: boolean;
  /** Writes of it that the transport has not taken yet. */
  writing: number;
  dropped: boolean;
}

/**
 * Where a message stream meets its transport's stream, which may be exchanged: what was sent and not confirmed is sent
 * again on the next one. While there is none, what is sent waits.
 */
export class MessageOutlet {
  readonly #sent: SentMessages<Chunk>;
  readonly #onBroken: (thrown: unknown) => void;
  #writer: ByteWriter | undefined;
  /** Resolves what waits for another writer, or for room to keep what is sent. */
  #changed: (() => void) | undefined;
  #change: Promise<void> | undefined;
  #state: "open" | "closing" | "over" = "open";
  /** Writes that the transport has taken, and those that it has not. */
  #taken = 0;
  #writing = 0;

  constructor({ retention = none, onBroken }: MessageOutletOptions) {
    this.#onBroken = onBroken;
    this.#sent = new SentMessages(retention, (chunk) => {
      chunk.dropped = true;
      recycle(chunk);
    });
  }

  /** How many messages the other end is known to have received. */
  get confirmed(): number {
    return this.#sent.confirmed;
  }

  /** How much the transport has taken, as a number that rises. */
  get moved(): number {
    return this.#taken;
  }

  /** Whether something waits for the transport's stream. */
  get isWaiting(): boolean {
    return this.#writer !== undefined && this.#writing > 0;
  }

  /** Whether there is room, in the transport and to keep what is sent. */
  get ready(): boolean {
    return this.#writer !== undefined && (this.#writer.desiredSize ?? 0) > 0 && !this.#sent.isFull;
  }

  /** Resolves when there is room; also when the stream ends. */
  async room(): Promise<void> {
    while (this.#state === "open" && !this.ready) {
      const writer = this.#sent.isFull ? undefined : this.#writer;
      await (writer === undefined ? this.#nextChange() : writer.ready.catch(() => this.#nextChange()));
    }
  }

  /** Sends framed messages. The memory is the outlet's from now on; if it is `borrowed`, it is given back in time. */
  send(bytes: Uint8Array, messages: number, borrowed = false): void {
    this.#send({ bytes, messages, ends: false, borrowed, writing: 0, dropped: false });
  }

  /**
   * Sends the last messages with the end behind them, and closes the transport's stream. Resolves when that is closed, for
   * streams that nobody confirms.
   */
  async sendEnd(bytes: Uint8Array, messages: number): Promise<void> {
    this.#state = "closing";
    this.#send({ bytes, messages, ends: true, borrowed: false, writing: 0, dropped: false });
    await this.#writer?.close();
  }

  /** The other end has so many messages. False if that cannot be. */
  confirm(count: number): boolean {
    const { isFull } = this.#sent;
    const possible = this.#sent.confirm(count);
    if (isFull && !this.#sent.isFull) this.#changed?.();
    return possible;
  }

  /**
   * Goes on with this writer, behind the first `count` messages, which the other end has. False if what follows them is
   * not kept here any more.
   */
  attach(writer: ByteWriter, count = 0): boolean {
    const rest = this.#sent.confirm(count) ? this.#sent.from(count) : undefined;
    if (this.#state === "over" || rest === undefined) {
      abandon(writer, undefined);
      return false;
    }
    this.#writer = writer;
    writer.ready.catch(ignore);
    writer.closed.catch((thrown: unknown) => {
      if (this.#writer !== writer) return;
      this.#writer = undefined;
      if (this.#state !== "over") this.#onBroken(thrown);
    });
    for (const [index, chunk] of rest.chunks.entries()) this.#transmit(chunk, index === 0 ? rest.skippedBytes : 0);
    if (this.#state === "closing") writer.close().catch(ignore);
    this.#changed?.();
    return true;
  }

  /** Lets go of the transport's stream; the other end does not believe what still comes on it. */
  detach(reason: unknown): void {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer !== undefined) this.#leave(writer, reason);
  }

  /** Nothing more is sent. */
  end(error: unknown): void {
    if (this.#state === "over") return;
    this.detach(error);
    this.#state = "over";
    this.#sent.clear();
    this.#changed?.();
  }

  #send(chunk: Chunk): void {
    this.#transmit(chunk);
    this.#sent.append(chunk);
  }

  #transmit(chunk: Chunk, skippedBytes = 0): void {
    if (this.#writer === undefined) return;
    const settled = (): void => {
      this.#taken += 1;
      this.#writing -= 1;
      chunk.writing -= 1;
      recycle(chunk);
    };
    this.#writing += 1;
    chunk.writing += 1;
    const bytes = skippedBytes === 0 ? chunk.bytes : chunk.bytes.subarray(skippedBytes);
    this.#writer.write(bytes).then(settled, settled);
  }

  #leave(writer: ByteWriter, reason: unknown): void {
    if (this.#state === "open") abandon(writer, reason);
    else resetLater(writer, reason);
  }

  #nextChange(): Promise<void> {
    this.#change ??= new Promise<void>((resolve) => (this.#changed = resolve)).then(() => {
      this.#change = this.#changed = undefined;
    });
    return this.#change;
  }
}

/** Marks the end of an unfinished stream, so that the transport ends it without a reset (docs/protocol.md). */
function abandon(writer: ByteWriter, reason: unknown): void {
  writer.write(abortMarker).catch(ignore);
  closeOrReset(writer, reason);
}

function recycle({ bytes, borrowed, writing, dropped }: Chunk): void {
  if (borrowed && dropped && writing === 0) giveBack(bytes);
}

const none = new Retention(Infinity, 0);
