/** Streams of numbered messages, whose content follows from their number. Runs where the party is: in Node or in a page. */
import type { MessageReadable, MessageWritable } from "../../src/index.ts";
import { isMessage, message, random } from "../support/messages.ts";
import { seen } from "./outcome.ts";
import type { Seen } from "./outcome.ts";

export interface FlowOptions {
  /** The longest message; they are of all lengths up to it. */
  maxBytes: number;
  /** After so many messages the stream ends. Default: when it is stopped. */
  count?: number;
  /** How long to wait between two messages. Default 0: as fast as the reader takes them. */
  everyMs?: number;
}

/** How far a flow is, at either end. */
export interface FlowState {
  messages: number;
  bytes: number;
  /** The longest time between two messages, or from the start to the first, or from the last until now. */
  longestGapMs: number;
  /** What it came to; undefined while it goes on. */
  end: Seen | undefined;
}

abstract class Flow {
  /** Resolves when it has come to something. */
  readonly ended: Promise<FlowState>;
  protected messages = 0;
  #bytes = 0;
  #longestGapMs = 0;
  #lastMs = performance.now();
  #end: Seen | undefined;
  #waiting: { messages: number; resolve: () => void }[] = [];

  constructor() {
    // Not before the fields of the class that extends this one are there.
    this.ended = Promise.resolve()
      .then(async () => await seen(this.run()))
      .then((end) => {
        this.#measure();
        this.#end = end;
        for (const { resolve } of this.#waiting) resolve();
        return this.state;
      });
  }

  get state(): FlowState {
    if (this.#end === undefined) this.#measure(false);
    return { messages: this.messages, bytes: this.#bytes, longestGapMs: this.#longestGapMs, end: this.#end };
  }

  /** Resolves when so many more messages have passed, or when it is at its end. */
  async after(messages: number): Promise<FlowState> {
    const wanted = this.messages + messages;
    if (this.#end === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push({ messages: wanted, resolve }));
    }
    return this.state;
  }

  /** Forgets how long the gaps were so far. */
  measureAnew(): void {
    this.#longestGapMs = 0;
    this.#lastMs = performance.now();
  }

  protected abstract run(): Promise<void>;

  protected passed(bytes: number): void {
    this.messages += 1;
    this.#bytes += bytes;
    this.#measure();
    for (const each of this.#waiting) if (this.messages >= each.messages) each.resolve();
    this.#waiting = this.#waiting.filter(({ messages }) => this.messages < messages);
  }

  #measure(anew = true): void {
    const nowMs = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    if (anew) this.#lastMs = nowMs;
  }
}

export class SendFlow extends Flow {
  readonly #writable: MessageWritable;
  readonly #options: FlowOptions;
  #stopped = false;

  constructor(writable: MessageWritable, options: FlowOptions) {
    super();
    this.#writable = writable;
    this.#options = options;
  }

  /** Ends the stream. Resolves when the other end has all of it, or with what else it came to. */
  async stop(): Promise<FlowState> {
    this.#stopped = true;
    return await this.ended;
  }

  protected async run(): Promise<void> {
    const { maxBytes, count = Infinity, everyMs = 0 } = this.#options;
    const writer = this.#writable.getWriter();
    while (!this.#stopped && this.messages < count) {
      const next = message(this.messages, lengthOf(this.messages, maxBytes));
      await writer.write(next);
      this.passed(next.length);
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    await writer.close();
  }
}

export class ReceiveFlow extends Flow {
  readonly #readable: MessageReadable;
  #pause: { over: Promise<void>; end: () => void } | undefined;
  #everyMs = 0;

  constructor(readable: MessageReadable) {
    super();
    this.#readable = readable;
  }

  /** Reads nothing more until {@link goOn}. */
  pause(): void {
    let end = (): void => {};
    const over = new Promise<void>((resolve) => (end = resolve));
    this.#pause ??= { over, end };
  }

  goOn(): void {
    this.#pause?.end();
    this.#pause = undefined;
  }

  /** Reads no more than one message in this time. */
  slowDown(everyMs: number): void {
    this.#everyMs = everyMs;
  }

  protected async run(): Promise<void> {
    const { maxBytes } = this.#readable.metadata as { maxBytes: number };
    for await (const received of this.#readable) {
      const index = this.messages;
      if (!isMessage(received, index, lengthOf(index, maxBytes))) throw new Error(`Message ${index} arrived wrong`);
      this.passed(received.length);
      await this.#pause?.over;
      if (this.#everyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#everyMs));
    }
  }
}

function lengthOf(index: number, maxBytes: number): number {
  return 1 + Math.floor(random(index) * maxBytes);
}
