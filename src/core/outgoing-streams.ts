// SPDX-License-Identifier: Apache-2.0
import type { ChannelLimits } from "./limits.ts";
import type { ChannelPath } from "./channel-path.ts";
import type { Action, ChannelState } from "./channel-state.ts";
import { ConecError, describeReason, reasonText } from "./errors.ts";
import { stalledError } from "./slow-readers.ts";
import type { Stalls } from "./slow-readers.ts";
import type { StreamQuota } from "./stream-quota.ts";
import { MessageSink } from "../streams/message-sink.ts";
import { MessageWritable } from "../streams/message-writable.ts";
import type { MessageStreamInfo } from "../streams/message-writable.ts";
import type { Retention } from "../streams/sent-messages.ts";
import { closeOrReset } from "../streams/linger.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";
import type { ByteWriter } from "./transport.ts";

export interface OutgoingStreamsOptions {
  state: ChannelState;
  path: ChannelPath;
  limits: ChannelLimits;
  /** Looks for streams that stand still; asks whether one is to be ended. */
  stalls: Stalls | undefined;
  /** Shared with the other channels of this Client. */
  quota: StreamQuota | undefined;
  /** How much is kept until the far end has confirmed it; nothing if the channel cannot be resumed. */
  retention: Retention | undefined;
  /** Carries out what the state has decided. */
  apply: (actions: readonly Action[]) => void;
  /** @throws ConecError why no stream can be opened any more */
  checkUsable: () => void;
}

interface Outgoing {
  sink?: MessageSink;
  /** What ended the stream before its transport stream was there. */
  error?: ConecError;
  /** Settles the stream's `close`. */
  confirmation?: { resolve: () => void; reject: (error: unknown) => void };
  /** Stops the time in which the reason for a broken byte stream must be told. */
  stopTimer?: () => void;
}

/** The data streams that one end of a channel writes. */
export class OutgoingStreams {
  readonly #options: OutgoingStreamsOptions;
  readonly #streams = new Map<number, Outgoing>();
  readonly #waiters = new Set<() => void>();
  #opened = 0;
  #sent = { messages: 0, bytes: 0 };
  #onChange: (() => void) | undefined;

  constructor(options: OutgoingStreamsOptions) {
    this.#options = options;
  }

  /** Streams that are neither confirmed nor failed. */
  get size(): number {
    return this.#streams.size;
  }

  get counters(): { streams: number; messages: number; bytes: number } {
    let { messages, bytes } = this.#sent;
    for (const { sink } of this.#streams.values()) {
      messages += sink?.counters.messages ?? 0;
      bytes += sink?.counters.bytes ?? 0;
    }
    return { streams: this.#opened, messages, bytes };
  }

  async open(info: MessageStreamInfo, signal?: AbortSignal): Promise<MessageWritable> {
    const { state, limits, retention, stalls, quota, apply, checkUsable } = this.#options;
    signal?.throwIfAborted();
    checkUsable();
    while (!this.#mayOpen) await this.#room(signal);
    quota?.opened();
    const { stream, actions } = state.open(info.name, info.metadata);
    const entry: Outgoing = {};
    this.#streams.set(stream, entry);
    this.#opened += 1;
    apply(actions);
    const { maxMessageBytes } = limits;
    const sink = new MessageSink({ maxMessageBytes, retention, hooks: this.#hooks(stream, entry) });
    const writable = new MessageWritable(sink, info);
    entry.sink = sink;
    stalls?.watch.watch(sink, (stalledMs) => {
      if (stalls.isToEnd("outgoing", info, stalledMs)) this.#giveUp(stream, stalledError(stalledMs, true));
    });
    if (entry.error !== undefined) sink.fail(entry.error);
    if (!state.isFlowing) return writable;
    try {
      await this.#connect(stream, sink, 0);
      return writable;
    } catch (error) {
      this.#over(stream);
      apply(state.abort(stream, { code: "aborted", reason: reasonText(error) }));
      checkUsable();
      throw error;
    }
  }

  /** The far end allows more streams, or none can be opened any more: whoever waits looks again. */
  wake(): void {
    for (const wake of this.#waiters) wake();
  }

  /** The far end has received the stream whole. */
  confirm(stream: number): void {
    const entry = this.#streams.get(stream);
    if (entry?.confirmation === undefined) {
      this.fail(
        stream,
        new ConecError("protocol-error", "A stream was confirmed that had not ended", {
          source: "stream",
          remote: true,
        }),
      );
      return;
    }
    this.#over(stream);
    entry.sink?.confirm(entry.sink.counters.messages);
    entry.confirmation.resolve();
  }

  fail(stream: number, error: ConecError): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined) return;
    entry.error = error;
    this.#over(stream);
    entry.confirmation?.reject(error);
    entry.sink?.fail(error);
  }

  /** Of this stream the far end has so many messages. False if that cannot be. */
  confirmSome(stream: number, messages: number): boolean {
    return this.#streams.get(stream)?.sink?.confirm(messages) ?? true;
  }

  /** The byte streams are lost; what is written waits. */
  suspend(): void {
    for (const entry of this.#streams.values()) {
      entry.stopTimer?.();
      entry.sink?.detach(undefined);
    }
  }

  /**
   * Goes on with all streams, behind the messages that the far end has. False if it cannot have them. A stream of which it says
   * nothing may have ended there, as is about to be told: then what was confirmed before still holds.
   */
  flow(received: ReadonlyMap<number, number>): boolean {
    const counts = [...this.#streams].flatMap(([stream, { sink }]) =>
      sink === undefined ? [] : [{ stream, sink, count: received.get(stream) ?? sink.confirmed }],
    );
    if (!counts.every(({ sink, count }) => sink.confirm(count))) return false;
    for (const { stream, sink, count } of counts) void this.#connect(stream, sink, count).catch(ignore);
    return true;
  }

  failAll(error: ConecError): void {
    for (const stream of this.#streams.keys()) this.fail(stream, error);
  }

  /** Fails the streams that the program has not closed, and waits until the others have ended. */
  async drain(error: ConecError, deadline: Promise<void>): Promise<void> {
    for (const [stream, { sink }] of this.#streams) if (sink?.ending !== true) this.fail(stream, error);
    const late = deadline.then(() => true);
    while (this.#streams.size > 0) {
      const changed = new Promise<boolean>((resolve) => (this.#onChange = () => resolve(false)));
      if (await Promise.race([changed, late])) return;
    }
  }

  /** Opens the byte stream of a stream. @throws what the path throws, unless its connection was lost, which it tells */
  async #connect(stream: number, sink: MessageSink, count: number): Promise<void> {
    const { state, path } = this.#options;
    const { epoch } = state;
    let writer: ByteWriter;
    try {
      writer = await path.openStream(stream, epoch);
    } catch (thrown) {
      if (this.#options.retention !== undefined && thrown instanceof ConecError && thrown.source === "connection")
        return;
      throw thrown;
    }
    if (state.epoch !== epoch || !state.isFlowing || !this.#streams.has(stream)) return closeOrReset(writer, undefined);
    if (!sink.attach(writer, count)) this.#giveUp(stream, unresumable());
  }

  #giveUp(stream: number, error: ConecError): void {
    const { state, apply } = this.#options;
    if (!this.#streams.has(stream)) return;
    this.fail(stream, error);
    apply(state.abort(stream, describeReason(error, "aborted")));
  }

  #hooks(stream: number, entry: Outgoing) {
    const { state, limits, apply } = this.#options;
    return {
      confirm: () => new Promise<void>((resolve, reject) => (entry.confirmation = { resolve, reject })),
      aborted: (reason: unknown) => {
        entry.confirmation?.reject(reason);
        this.#over(stream);
        apply(state.abort(stream, describeReason(reason, "aborted")));
      },
      broken: (error: ConecError) => {
        entry.stopTimer?.();
        entry.stopTimer = unrefTimeout(limits.pairTimeoutMs, () => this.#giveUp(stream, error));
      },
    };
  }

  #over(stream: number): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined) return;
    entry.stopTimer?.();
    if (entry.sink !== undefined) this.#options.stalls?.watch.forget(entry.sink);
    this.#streams.delete(stream);
    this.#options.quota?.over();
    this.#sent.messages += entry.sink?.counters.messages ?? 0;
    this.#sent.bytes += entry.sink?.counters.bytes ?? 0;
    this.#onChange?.();
  }

  get #mayOpen(): boolean {
    const { state, quota } = this.#options;
    return state.mayOpen && (quota?.hasRoom ?? true);
  }

  /** Resolves when another stream may be opened, or it is worth a look. */
  async #room(signal?: AbortSignal): Promise<void> {
    const { quota } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const settle = (then: () => void) => (): void => {
        this.#waiters.delete(wake);
        quota?.waiters.delete(wake);
        signal?.removeEventListener("abort", abort);
        then();
      };
      const wake = settle(resolve);
      const abort = settle(() => reject(signal!.reason as Error));
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiters.add(wake);
      quota?.waiters.add(wake);
    });
    this.#options.checkUsable();
  }
}

function unresumable(): ConecError {
  const message = "The connection was lost, and what was not confirmed of this stream is not kept any more";
  return new ConecError("connection-lost", message, { source: "stream" });
}
