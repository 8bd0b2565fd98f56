// SPDX-License-Identifier: Apache-2.0
import type { ChannelLimits } from "./limits.ts";
import type { Action, ChannelState } from "./channel-state.ts";
import { ConecError, describeReason } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import type { MemoryAccount } from "./memory-budget.ts";
import { discard } from "../streams/linger.ts";
import { MessageReadable } from "../streams/message-readable.ts";
import { MessageSource } from "../streams/message-source.ts";
import type { ByteSource } from "../streams/byte-ends.ts";
import { stalledError } from "./slow-readers.ts";
import type { Stalls } from "./slow-readers.ts";
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
  /** Looks for streams that stand still; asks whether one is to be ended. */
  stalls: Stalls | undefined;
  /** What is kept of what the far end sent counts there. */
  account: MemoryAccount | undefined;
  /** Whether the far end is told how much was received, so that the channel can be resumed. */
  resumable: boolean;
}

interface Incoming {
  readonly source: MessageSource;
  /** Stops the time in which something that is missing must come. */
  stopTimer: () => void;
}

/** The data streams that one end of a channel reads. */
export class IncomingStreams {
  readonly queue: IncomingQueue<MessageReadable>;
  readonly #options: IncomingStreamsOptions;
  readonly #streams = new Map<number, Incoming>();
  readonly #streamOf = new WeakMap<MessageReadable, number>();
  /** Transport streams whose `open` message, or epoch, has yet to come. */
  readonly #held = new Map<number, { epoch: number; source: ByteSource; stopTimer: () => void }>();
  /** Streams of which something came that the far end was not told. */
  readonly #unreported = new Set<number>();
  #stopReporting: () => void = ignore;
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
    const { state, limits, stalls, account, apply } = this.#options;
    const source = new MessageSource({
      maxMessageBytes: limits.maxMessageBytes,
      onHeld: account?.change,
      hooks: {
        ended: () => apply(state.received(stream)),
        cancelled: (reason) => apply(state.cancel(stream, describeReason(reason, "cancelled"))),
        broken: (error) => this.#setTimer(stream, () => error),
        drained: () => this.#drained(stream),
        ...(this.#options.resumable && { progress: (bytes: number) => this.#progress(stream, bytes) }),
      },
    });
    const readable = new MessageReadable(source, { name: info.name, metadata: info.metadata });
    this.#streamOf.set(readable, stream);
    this.#surfaced += 1;
    this.#streams.set(stream, { source, stopTimer: ignore });
    stalls?.watch.watch(source, (stalledMs) => {
      if (!stalls.isToEnd("incoming", info, stalledMs)) return;
      const error = stalledError(stalledMs, false);
      apply(state.cancel(stream, describeReason(error, "cancelled")));
      source.fail(error);
    });
    this.#await(stream);
    this.queue.push(readable);
  }

  /** The bytes of a stream have begun. */
  pair(stream: number, epoch: number, source: ByteSource): void {
    const verdict = this.#over ? "discard" : this.#options.state.pair(stream, epoch);
    if (verdict === "hold") return this.#hold(stream, epoch, source);
    const incoming = this.#streams.get(stream);
    if (verdict !== "attach" || incoming === undefined) {
      void discard(source.reader);
      if (verdict instanceof ConecError) this.#options.fault(verdict);
      return;
    }
    incoming.stopTimer();
    incoming.source.attach(source.head, source.reader);
  }

  /** The byte streams are lost; what was received of them is kept. */
  suspend(): void {
    for (const { source, stopTimer } of this.#streams.values()) {
      stopTimer();
      source.detach();
    }
    // A copy: those that still have to wait are put back.
    const held = [...this.#held.keys()];
    for (const stream of held) this.#takeHeld(stream);
  }

  /** How many messages were received of each stream that has not been received whole. */
  received(): [stream: number, messages: number][] {
    this.#stopReporting();
    this.#unreported.clear();
    const counts: [number, number][] = [];
    for (const [stream, { source }] of this.#streams) {
      source.report();
      if (!source.over && source.received > 0) counts.push([stream, source.received]);
    }
    return counts;
  }

  /** The far end goes on with its streams: their bytes are to come. */
  flow(): void {
    for (const stream of this.#streams.keys()) this.#await(stream);
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
    this.#stopReporting();
    for (const { stopTimer } of this.#streams.values()) stopTimer();
    this.failAll(error);
    for (const { source, stopTimer } of this.#held.values()) {
      stopTimer();
      void discard(source.reader);
    }
    this.#held.clear();
    this.queue.close();
  }

  /** Waits for the bytes of a stream, which may be here already. */
  #await(stream: number): void {
    const late = (): ConecError =>
      new ConecError("timeout", "The stream's bytes did not come", { source: "stream", remote: true });
    if (this.#held.has(stream)) this.#takeHeld(stream);
    else if (this.#options.state.isMissing(stream)) this.#setTimer(stream, late);
  }

  /** Fails a stream unless the reason for it, or what it lacks, comes in time. */
  #setTimer(stream: number, errorOf: () => ConecError): void {
    const { state, limits, apply } = this.#options;
    const incoming = this.#streams.get(stream);
    if (incoming === undefined) return;
    incoming.stopTimer();
    incoming.stopTimer = unrefTimeout(limits.pairTimeoutMs, () => {
      if (!this.#streams.has(stream)) return;
      const error = errorOf();
      apply(state.cancel(stream, describeReason(error, "cancelled")));
      incoming.source.fail(error);
    });
  }

  #hold(stream: number, epoch: number, source: ByteSource): void {
    const { limits, fault } = this.#options;
    if (this.#held.has(stream) || this.#held.size >= limits.streamsPerChannel) {
      void discard(source.reader);
      const message = "Too many data streams came without having been opened";
      fault(new ConecError("limit-exceeded", message, { source: "channel", remote: true }));
      return;
    }
    const stopTimer = unrefTimeout(limits.pairTimeoutMs, () => {
      this.#held.delete(stream);
      void discard(source.reader);
    });
    this.#held.set(stream, { epoch, source, stopTimer });
  }

  /** Looks once more at a transport stream that was held. */
  #takeHeld(stream: number): void {
    const { epoch, source, stopTimer } = this.#held.get(stream)!;
    stopTimer();
    this.#held.delete(stream);
    this.pair(stream, epoch, source);
  }

  /** Tells the far end what came, now and then. */
  #progress(stream: number, bytes: number): void {
    if (this.#unreported.size === 0) this.#stopReporting = unrefTimeout(reportMs, () => this.#report());
    this.#unreported.add(stream);
    if (bytes >= reportBytes) this.#report();
  }

  #report(): void {
    this.#stopReporting();
    const counts: [number, number][] = [];
    for (const stream of this.#unreported) {
      const messages = this.#streams.get(stream)?.source.report();
      if (messages !== undefined) counts.push([stream, messages]);
    }
    this.#unreported.clear();
    const { state, apply } = this.#options;
    if (counts.length > 0 && state.isFlowing) apply(state.acknowledge(counts));
  }

  #drained(stream: number): void {
    const incoming = this.#streams.get(stream);
    if (incoming === undefined) return;
    incoming.stopTimer();
    this.#options.stalls?.watch.forget(incoming.source);
    this.#streams.delete(stream);
    this.#received.messages += incoming.source.counters.messages;
    this.#received.bytes += incoming.source.counters.bytes;
    const { state, apply } = this.#options;
    apply(state.mark(stream, "drained"));
  }
}

/** The far end keeps what it does not know to be received: it is told when so much has come on a stream … */
const reportBytes = 1_048_576;
/** … and this long after something came on any. */
const reportMs = 250;
