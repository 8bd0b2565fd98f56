/**
 * One end of a channel at work: carries out what {@link ChannelState} decides, on a {@link ChannelPath}. `Channel` is
 * its public face.
 */
import { ChannelState } from "./channel-state.ts";
import type { Action } from "./channel-state.ts";
import type { ChannelPath } from "./channel-path.ts";
import type { ControlMessage, Peer } from "./control-messages.ts";
import { ConecError, reasonText, streamErrorCodeOf } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { unrefTimeout } from "../streams/timer.ts";
import type { CloseInfo } from "./transport.ts";
import { discard } from "../streams/discard.ts";
import { MessageReadable } from "../streams/message-readable.ts";
import { MessageSink } from "../streams/message-sink.ts";
import { MessageSource } from "../streams/message-source.ts";
import type { ByteSource } from "../streams/message-source.ts";
import { MessageWritable } from "../streams/message-writable.ts";
import type { MessageStreamInfo, Metadata } from "../streams/message-writable.ts";

/** What is the same for all channel ends of one Client or Coordinator. */
export interface ChannelEndLimits {
  /** How many data streams the peer may have open or unread at once. */
  streamLimit: number;
  maxMessageBytes: number;
  /** How long the two halves of a stream's opening, or of its abort, may be apart. */
  pairTimeoutMs: number;
  /** How long `close` waits for streams that are ending, and for the peer's answer. */
  drainTimeoutMs: number;
}

export interface ChannelEndOptions {
  path: ChannelPath;
  end: 0 | 1;
  peer: Peer;
  metadata: Metadata;
  opened?: readonly [number, number];
  maxStreams: readonly [number, number];
  limits: ChannelEndLimits;
}

/** Figures of one channel end, since it was opened here. */
export interface ChannelEndStats {
  streamsOpened: number;
  streamsReceived: number;
  openStreams: number;
  messagesSent: number;
  messagesReceived: number;
  /** Bytes of messages, without framing. */
  bytesSent: number;
  bytesReceived: number;
}

interface Outgoing {
  sink?: MessageSink;
  /** What ended the stream before its transport stream was there. */
  error?: ConecError;
  confirmation?: { resolve: () => void; reject: (error: unknown) => void };
}

export class ChannelEnd {
  readonly path: ChannelPath;
  readonly metadata: Metadata;
  readonly incoming: IncomingQueue<MessageReadable>;
  /** Resolves when this end is closed by either side; rejects when it broke or was passed on. Never unhandled. */
  readonly closed: Promise<CloseInfo>;
  onPeerChange: (() => void) | undefined;
  #peer: Peer;
  readonly #state: ChannelState;
  readonly #limits: ChannelEndLimits;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<number, { source: MessageSource; stopTimer: () => void }>();
  readonly #streamOf = new WeakMap<MessageReadable, number>();
  /** Transport streams whose `open` message has yet to come. */
  readonly #held = new Map<number, { source: ByteSource; stopTimer: () => void }>();
  readonly #creditWaiters = new Set<() => void>();
  readonly #stats: ChannelEndStats = {
    streamsOpened: 0, streamsReceived: 0, openStreams: 0,
    messagesSent: 0, messagesReceived: 0, bytesSent: 0, bytesReceived: 0,
  };
  #mode: "open" | "closing" | "passing" | "over" = "open";
  /** Why the end cannot be used any more. */
  #error: ConecError | undefined;
  #closing: Promise<void> | undefined;
  #closeInfo: CloseInfo | undefined;
  #settleClosed!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };
  #settlePassed: { resolve: () => void; reject: (error: ConecError) => void } | undefined;
  #outgoingChanged: (() => void) | undefined;

  constructor({ path, end, peer, metadata, opened, maxStreams, limits }: ChannelEndOptions) {
    this.path = path;
    this.metadata = metadata;
    this.#peer = peer;
    this.#limits = limits;
    this.#state = new ChannelState({ end, maxStreams, streamLimit: limits.streamLimit, ...(opened && { opened }) });
    this.incoming = new IncomingQueue((readable) => this.#apply(this.#state.mark(this.#streamOf.get(readable)!, "taken")));
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    path.attach({
      message: (message) => this.#apply(this.#state.receive(message)),
      stream: (stream, source) => this.#pair(stream, source),
      ended: (error) => this.#pathEnded(error),
    });
  }

  get peer(): Peer {
    return this.#peer;
  }

  /** True while the channel can be used. */
  get usable(): boolean {
    return this.#mode === "open";
  }

  /** @throws ConecError why the channel cannot be used */
  checkUsable(): void {
    if (this.#mode === "open") return;
    if (this.#mode === "passing") throw detachedError();
    throw this.#error ?? closedError("The channel was closed");
  }

  async createStream(info: MessageStreamInfo, signal?: AbortSignal): Promise<MessageWritable> {
    signal?.throwIfAborted();
    this.checkUsable();
    while (!this.#state.mayOpen) await this.#credit(signal);
    const { stream, actions } = this.#state.open(info.name, info.metadata);
    const entry: Outgoing = {};
    this.#outgoing.set(stream, entry);
    this.#stats.streamsOpened += 1;
    this.#apply(actions);
    try {
      const bytes = await this.path.openStream(stream);
      const sink = new MessageSink(bytes, { maxMessageBytes: this.#limits.maxMessageBytes, hooks: this.#sinkHooks(stream, entry) });
      entry.sink = sink;
      const writable = new MessageWritable(sink, info);
      if (entry.error !== undefined) sink.fail(entry.error);
      return writable;
    } catch (error) {
      this.#outgoingOver(stream);
      this.#apply(this.#state.abort(stream, { code: "aborted", reason: reasonText(error) }));
      throw this.#error ?? error;
    }
  }

  /** Hands this end to the far end of the channel that has the id `via` on this connection. */
  async pass(via: number, metadata: Metadata, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.beginPass();
    await new Promise<void>((resolve, reject) => {
      this.#settlePassed = { resolve, reject };
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      this.#apply(this.#state.pass(via, metadata));
    });
  }

  /** From now on until {@link endPass} the channel cannot be used here. @throws ConecError `streams-open`, and as {@link checkUsable} */
  beginPass(): void {
    this.checkUsable();
    const { outgoing, incoming } = this.#state.openStreams;
    if (outgoing + incoming > 0) {
      throw new ConecError("streams-open", `A channel with open streams (${outgoing + incoming}) cannot be passed on`, { source: "channel" });
    }
    this.#mode = "passing";
  }

  /** The channel has been passed on, or, with an error, has not and goes on here. */
  endPass(error?: ConecError): void {
    if (this.#mode !== "passing") return;
    const settle = this.#settlePassed;
    this.#settlePassed = undefined;
    if (error === undefined) {
      settle?.resolve();
      this.#finish(undefined, detachedError());
    } else {
      this.#mode = "open";
      settle?.reject(error);
    }
  }

  /** Closes the channel: what is ending may end, the rest is cut. @throws ConecError `detached` */
  async close(info: CloseInfo): Promise<void> {
    if (this.#mode === "passing" || this.#error?.code === "detached") throw detachedError();
    if (this.#mode === "open") {
      this.#closeInfo = info;
      this.#closing = this.#close(info);
    }
    await this.#closing;
  }

  /** Ends the channel at once, telling the peer why. */
  fail(error: ConecError): void {
    if (this.#mode === "over") return;
    this.#send({ type: "close", closeCode: 0, reason: reasonText(error), code: error.code });
    this.#finish(undefined, error);
  }

  stats(): ChannelEndStats {
    const stats = { ...this.#stats, openStreams: this.#outgoing.size + this.#incoming.size };
    for (const { sink } of this.#outgoing.values()) if (sink !== undefined) addSent(stats, sink);
    for (const { source } of this.#incoming.values()) addReceived(stats, source);
    return stats;
  }

  async #close(info: CloseInfo): Promise<void> {
    this.#mode = "closing";
    const error = closedError(info.reason === "" ? "The channel was closed" : info.reason);
    for (const [stream, entry] of this.#outgoing) if (entry.sink?.ending !== true) this.#failWritable(stream, error);
    for (const { source } of this.#incoming.values()) source.fail(error);
    const deadline = new Promise<void>((resolve) => unrefTimeout(this.#limits.drainTimeoutMs, resolve));
    while (this.#outgoing.size > 0 && this.#mode === "closing") {
      const changed = new Promise<boolean>((resolve) => (this.#outgoingChanged = () => resolve(true)));
      if (!(await Promise.race([changed, deadline.then(() => false)]))) break;
    }
    if (this.#mode !== "closing") return;
    this.#send({ type: "close", ...info });
    this.path.end();
    await Promise.race([this.closed.catch(ignore), deadline]);
    this.#finish(info);
  }

  #pathEnded(error?: ConecError): void {
    if (this.#mode === "closing") this.#finish(this.#closeInfo);
    else this.#finish(undefined, error ?? new ConecError("connection-lost", "The channel ended without a close", { source: "channel", remote: true }));
  }

  /** The end of the end: everything settles. The first call counts. */
  #finish(info: CloseInfo | undefined, error?: ConecError): void {
    if (this.#mode === "over") return;
    this.#mode = "over";
    const reason = info === undefined || info.reason === "" ? "The channel was closed" : info.reason;
    this.#error = error ?? new ConecError("closed", reason, { source: "channel", remote: true });
    this.#state.finish();
    for (const stream of this.#outgoing.keys()) this.#failWritable(stream, this.#error);
    for (const { source, stopTimer } of this.#incoming.values()) {
      stopTimer();
      source.fail(this.#error);
    }
    for (const { source, stopTimer } of this.#held.values()) {
      stopTimer();
      void discard(source.readable);
    }
    this.#held.clear();
    for (const wake of this.#creditWaiters) wake();
    this.#settlePassed?.reject(this.#error);
    this.incoming.close();
    this.path.end();
    if (error === undefined) this.#settleClosed.resolve(info!);
    else this.#settleClosed.reject(error);
  }

  #apply(actions: readonly Action[]): void | Promise<void> {
    let sent: void | Promise<void> = undefined;
    for (const action of actions) {
      switch (action.do) {
        case "send":
          sent = this.#send(action.message);
          break;
        case "surface":
          this.#surface(action.stream, action);
          break;
        case "confirmWritable":
          this.#confirm(action.stream);
          break;
        case "failWritable":
          this.#failWritable(action.stream, action.error);
          break;
        case "failReadable":
          this.#incoming.get(action.stream)?.source.fail(action.error);
          break;
        case "credit":
          for (const wake of this.#creditWaiters) wake();
          break;
        case "peer":
          this.#peer = action.peer;
          this.onPeerChange?.();
          break;
        case "passed":
          this.endPass(action.error);
          break;
        case "closed":
          this.#finish(action.info, action.error);
          break;
      }
    }
    return sent;
  }

  #send(message: ControlMessage): void | Promise<void> {
    return this.path.send(message);
  }

  async #credit(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        this.#creditWaiters.delete(wake);
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#creditWaiters.delete(wake);
        reject(signal!.reason as Error);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#creditWaiters.add(wake);
    });
    this.checkUsable();
  }

  // Streams that this end writes.

  #sinkHooks(stream: number, entry: Outgoing) {
    return {
      confirm: () => new Promise<void>((resolve, reject) => (entry.confirmation = { resolve, reject })),
      aborted: (reason: unknown) => {
        entry.confirmation?.reject(reason);
        this.#outgoingOver(stream);
        this.#apply(this.#state.abort(stream, describeReason(reason, "aborted")));
      },
      broken: (error: ConecError) => {
        unrefTimeout(this.#limits.pairTimeoutMs, () => {
          if (!this.#outgoing.has(stream)) return;
          this.#failWritable(stream, error);
          this.#apply(this.#state.abort(stream, describeReason(error, "aborted")));
        });
      },
    };
  }

  #confirm(stream: number): void {
    const entry = this.#outgoing.get(stream);
    if (entry?.confirmation === undefined) {
      this.#failWritable(stream, new ConecError("protocol-error", "A stream was confirmed that had not ended", { source: "stream", remote: true }));
      return;
    }
    this.#outgoingOver(stream);
    entry.confirmation.resolve();
  }

  #failWritable(stream: number, error: ConecError): void {
    const entry = this.#outgoing.get(stream);
    if (entry === undefined) return;
    entry.error = error;
    this.#outgoingOver(stream);
    entry.confirmation?.reject(error);
    entry.sink?.fail(error);
  }

  #outgoingOver(stream: number): void {
    const entry = this.#outgoing.get(stream);
    if (entry === undefined) return;
    this.#outgoing.delete(stream);
    if (entry.sink !== undefined) addSent(this.#stats, entry.sink);
    this.#outgoingChanged?.();
  }

  // Streams that this end reads.

  #surface(stream: number, info: MessageStreamInfo): void {
    if (this.#mode !== "open" && this.#mode !== "passing") return;
    const source = new MessageSource({
      maxMessageBytes: this.#limits.maxMessageBytes,
      hooks: {
        ended: () => this.#apply(this.#state.received(stream)),
        cancelled: (reason) => this.#apply(this.#state.cancel(stream, describeReason(reason, "cancelled"))),
        broken: (error) => this.#failSoon(stream, error),
        drained: () => this.#incomingOver(stream),
      },
    });
    const readable = new MessageReadable(source, { name: info.name, metadata: info.metadata });
    this.#streamOf.set(readable, stream);
    this.#stats.streamsReceived += 1;
    const held = this.#held.get(stream);
    const stopTimer = held === undefined ? this.#failSoon(stream, new ConecError("timeout", "The stream's bytes did not come", { source: "stream", remote: true })) : () => {};
    this.#incoming.set(stream, { source, stopTimer });
    if (held !== undefined) {
      held.stopTimer();
      this.#held.delete(stream);
      this.#pair(stream, held.source);
    }
    if (!this.incoming.push(readable)) {
      this.#apply(this.#state.mark(stream, "taken"));
      void readable.cancel(new ConecError("refused", "Nobody takes streams here", { source: "stream" }));
    }
  }

  /** Fails a stream of the peer unless the reason for it, or what it lacks, comes in time. */
  #failSoon(stream: number, error: ConecError): () => void {
    return unrefTimeout(this.#limits.pairTimeoutMs, () => {
      const { source } = this.#incoming.get(stream) ?? {};
      if (source === undefined) return;
      source.fail(error);
      this.#apply(this.#state.cancel(stream, describeReason(error, "cancelled")));
    });
  }

  #pair(stream: number, source: ByteSource): void {
    const verdict = this.#mode === "over" ? "discard" : this.#state.pair(stream);
    if (verdict instanceof ConecError) {
      void discard(source.readable);
      this.fail(verdict);
    } else if (verdict === "hold") this.#hold(stream, source);
    else {
      const incoming = this.#incoming.get(stream);
      if (verdict === "discard" || incoming === undefined) void discard(source.readable);
      else {
        incoming.stopTimer();
        incoming.source.attach(source);
      }
    }
  }

  #hold(stream: number, source: ByteSource): void {
    if (this.#held.has(stream) || this.#held.size >= this.#limits.streamLimit) {
      void discard(source.readable);
      this.fail(new ConecError("limit-exceeded", "Too many data streams without an open message", { source: "channel", remote: true }));
      return;
    }
    const stopTimer = unrefTimeout(this.#limits.pairTimeoutMs, () => {
      this.#held.delete(stream);
      void discard(source.readable);
    });
    this.#held.set(stream, { source, stopTimer });
  }

  #incomingOver(stream: number): void {
    const entry = this.#incoming.get(stream);
    if (entry === undefined) return;
    entry.stopTimer();
    this.#incoming.delete(stream);
    addReceived(this.#stats, entry.source);
    this.#apply(this.#state.mark(stream, "drained"));
  }
}

function describeReason(reason: unknown, fallback: "aborted" | "cancelled") {
  const streamErrorCode = streamErrorCodeOf(reason);
  return {
    code: reason instanceof ConecError && !reason.remote ? reason.code : fallback,
    reason: reasonText(reason),
    ...(streamErrorCode === undefined ? {} : { streamErrorCode }),
  };
}

function addSent(stats: ChannelEndStats, { counters }: MessageSink): void {
  stats.messagesSent += counters.messages;
  stats.bytesSent += counters.bytes;
}

function addReceived(stats: ChannelEndStats, { counters }: MessageSource): void {
  stats.messagesReceived += counters.messages;
  stats.bytesReceived += counters.bytes;
}

function closedError(message: string): ConecError {
  return new ConecError("closed", message, { source: "channel" });
}

function detachedError(): ConecError {
  return new ConecError("detached", "The channel was passed on", { source: "channel" });
}

function ignore(): void {}
