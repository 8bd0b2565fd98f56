import type { ChannelLimits } from "./limits.ts";
import type { Action, ChannelState } from "./channel-state.ts";
import { ConecError, describeReason } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { discard } from "../streams/discard.ts";
import { MessageReadable } from "../streams/message-readable.ts";
import { MessageSource } from "../streams/message-source.ts";
import type { ByteSource } from "../streams/byte-ends.ts";
import type { MessageStreamInfo } from "../streams/message-writable.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";

export interface IncomingStreamsOptions {
  state: ChannelState;
  limits: ChannelLimits;
  /** Carries out what the state has decided. */
  apply: (actions: readonly Action[]) => void;
  /** The far end broke the rules. */
  fault: (error: ConecError) => void;
}

/** The data streams that one end of a channel reads. */
export class IncomingStreams {
  readonly queue: IncomingQueue<MessageReadable>;
  readonly #options: IncomingStreamsOptions;
  readonly #streams = new Map<number, { source: MessageSource; stopTimer: () => void }>();
  readonly #streamOf = new WeakMap<MessageReadable, number>();
  /** Transport streams whose `open` message has yet to come. */
  readonly #held = new Map<number, { source: ByteSource; stopTimer: () => void }>();
  #surfaced = 0;
  #received = { messages: 0, bytes: 0 };
  #over = false;

  constructor(options: IncomingStreamsOptions) {
    const { state, apply } = options;
    this.#options = options;
    const taken = (readable: MessageReadable): void => apply(state.mark(this.#streamOf.get(readable)!, "taken"));
    this.queue = new IncomingQueue(taken, (readable) => {
      taken(readable);
      void readable.cancel(new ConecError("refused", "Nobody takes streams here", { source: "stream" }));
    });
  }

  /** Streams that may still bring something. */
  get size(): number {
    return this.#streams.size;
  }

  get counters(): { streams: number; messages: number; bytes: number } {
    let { messages, bytes } = this.#received;
    for (const { source } of this.#streams.values()) {
      messages += source.counters.messages;
      bytes += source.counters.bytes;
    }
    return { streams: this.#surfaced, messages, bytes };
  }

  /** The far end opened a stream. */
  surface(stream: number, info: MessageStreamInfo): void {
    const { state, limits, apply } = this.#options;
    const source = new MessageSource({
      maxMessageBytes: limits.maxMessageBytes,
      hooks: {
        ended: () => apply(state.received(stream)),
        cancelled: (reason) => apply(state.cancel(stream, describeReason(reason, "cancelled"))),
        broken: (error) => void this.#failSoon(stream, () => error),
        drained: () => this.#drained(stream),
      },
    });
    const readable = new MessageReadable(source, { name: info.name, metadata: info.metadata });
    this.#streamOf.set(readable, stream);
    this.#surfaced += 1;
    this.#await(stream, source);
    this.queue.push(readable);
  }

  /** The bytes of a stream have begun. */
  pair(stream: number, source: ByteSource): void {
    const verdict = this.#over ? "discard" : this.#options.state.pair(stream);
    if (verdict === "hold") return this.#hold(stream, source);
    const incoming = this.#streams.get(stream);
    if (verdict !== "attach" || incoming === undefined) {
      void discard(source);
      if (verdict instanceof ConecError) this.#options.fault(verdict);
      return;
    }
    incoming.stopTimer();
    incoming.source.attach(source.head, source.reader);
  }

  fail(stream: number, error: ConecError): void {
    this.#streams.get(stream)?.source.fail(error);
  }

  /** Fails all streams that have not been received whole. */
  failAll(error: ConecError): void {
    for (const { source } of this.#streams.values()) source.fail(error);
  }

  /** Nothing more comes. */
  end(error: ConecError): void {
    this.#over = true;
    for (const { stopTimer } of this.#streams.values()) stopTimer();
    this.failAll(error);
    for (const { source, stopTimer } of this.#held.values()) {
      stopTimer();
      void discard(source);
    }
    this.#held.clear();
    this.queue.close();
  }

  /** Waits for the bytes of a stream, which may be here already. */
  #await(stream: number, source: MessageSource): void {
    const held = this.#held.get(stream);
    const late = (): ConecError =>
      new ConecError("timeout", "The stream's bytes did not come", { source: "stream", remote: true });
    this.#streams.set(stream, { source, stopTimer: held === undefined ? this.#failSoon(stream, late) : ignore });
    if (held === undefined) return;
    held.stopTimer();
    this.#held.delete(stream);
    this.pair(stream, held.source);
  }

  /** Fails a stream unless the reason for it, or what it lacks, comes in time. */
  #failSoon(stream: number, errorOf: () => ConecError): () => void {
    const { state, limits, apply } = this.#options;
    return unrefTimeout(limits.pairTimeoutMs, () => {
      const incoming = this.#streams.get(stream);
      if (incoming === undefined) return;
      const error = errorOf();
      apply(state.cancel(stream, describeReason(error, "cancelled")));
      incoming.source.fail(error);
    });
  }

  #hold(stream: number, source: ByteSource): void {
    if (this.#held.has(stream) || this.#held.size >= this.#options.limits.streamsPerChannel) {
      void discard(source);
      const message = "Too many data streams came without having been opened";
      this.#options.fault(new ConecError("limit-exceeded", message, { source: "channel", remote: true }));
      return;
    }
    const stopTimer = unrefTimeout(this.#options.limits.pairTimeoutMs, () => {
      this.#held.delete(stream);
      void discard(source);
    });
    this.#held.set(stream, { source, stopTimer });
  }

  #drained(stream: number): void {
    const incoming = this.#streams.get(stream);
    if (incoming === undefined) return;
    incoming.stopTimer();
    this.#streams.delete(stream);
    this.#received.messages += incoming.source.counters.messages;
    this.#received.bytes += incoming.source.counters.bytes;
    const { state, apply } = this.#options;
    apply(state.mark(stream, "drained"));
  }
}
