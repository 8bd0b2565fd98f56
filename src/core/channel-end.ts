// SPDX-License-Identifier: Apache-2.0
/**
 * One end of a channel at work: carries out what {@link ChannelState} decides, on a {@link ChannelPath}. `Channel` is
 * its public face. Longer than most: what an end keeps of its streams, says of them and resumes is one state.
 */
import { ChannelState } from "./channel-state.ts";
import type { Action } from "./channel-state.ts";
import type { ChannelPath } from "./channel-path.ts";
import type { Peer } from "./control-messages.ts";
import { ConecError, reasonText } from "./errors.ts";
import { IncomingStreams } from "./incoming-streams.ts";
import type { ChannelLimits } from "./limits.ts";
import type { MemoryAccount } from "./memory-budget.ts";
import { OutgoingStreams } from "./outgoing-streams.ts";
import type { SlowReaders } from "./slow-readers.ts";
import type { StreamQuota } from "./stream-quota.ts";
import type { CloseInfo } from "./transport.ts";
import type { MessageReadable } from "../streams/message-readable.ts";
import type { Retention } from "../streams/sent-messages.ts";
import type { MessageStreamInfo, MessageWritable, Metadata } from "../streams/message-writable.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";

export interface ChannelEndOptions {
  path: ChannelPath;
  /** Which end this is: stream ids of end 0 are even, of end 1 odd. */
  end: 0 | 1;
  peer: Peer;
  metadata: Metadata;
  /** For each end: the number of data streams it has opened so far. */
  opened?: readonly [number, number];
  /** For each end: the number of data streams it may have opened. */
  maxStreams: readonly [number, number];
  limits: ChannelLimits;
  /** What the streams that are opened here count against, beside the channel's own limit. */
  quota?: StreamQuota;
  /** Whether this end goes through a Coordinator to another party. */
  relayed: boolean;
  /** See {@link ChannelState}. */
  leads?: boolean;
  epoch?: number;
  /** What is kept of what was sent, should the channel be resumed. Undefined: it is not, it ends with its connection. */
  retention: Retention | undefined;
  /** What is kept of what the far end sent counts there. */
  account?: MemoryAccount;
  /** What becomes of streams that nobody reads. Default: they wait. */
  slowReaders?: SlowReaders | undefined;
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

export class ChannelEnd {
  readonly path: ChannelPath;
  readonly metadata: Metadata;
  /** Resolves when this end is closed by either side; rejects when it broke or was passed on. Never unhandled. */
  readonly closed: Promise<CloseInfo>;
  onPeerChange: (() => void) | undefined;
  /** Called when {@link suspended} changes. */
  onSuspend: (() => void) | undefined;
  #peer: Peer;
  readonly #drainTimeoutMs: number;
  readonly #relayed: boolean;
  readonly #state: ChannelState;
  readonly #outgoing: OutgoingStreams;
  readonly #incoming: IncomingStreams;
  #mode: "open" | "closing" | "passing" | "over" = "open";
  /** Why the end cannot be used any more. */
  #error: ConecError | undefined;
  #closing: { info: CloseInfo; done: Promise<void> } | undefined;
  /** Ends the time that {@link close} gives. */
  #cut: () => void = ignore;
  #settleClosed!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };
  #settlePassed: { resolve: () => void; reject: (error: ConecError) => void } | undefined;

  constructor(options: ChannelEndOptions) {
    const { path, end, peer, metadata, opened, maxStreams, limits, quota, relayed, retention, account } = options;
    this.path = path;
    this.metadata = metadata;
    this.#peer = peer;
    this.#drainTimeoutMs = limits.drainTimeoutMs;
    this.#relayed = relayed;
    const state = new ChannelState({
      end,
      maxStreams,
      streamLimit: limits.streamsPerChannel,
      relayed,
      leads: options.leads ?? false,
      epoch: options.epoch ?? 0,
      ...(opened && { opened }),
    });
    const apply = (actions: readonly Action[]): void => void this.#apply(actions);
    this.#state = state;
    const checkUsable = (): void => this.checkUsable();
    const fault = (error: ConecError): void => this.fail(error);
    const stalls = options.slowReaders?.stalls(() => this.#peer);
    const resumable = retention !== undefined;
    this.#outgoing = new OutgoingStreams({ state, path, limits, retention, stalls, quota, apply, checkUsable });
    this.#incoming = new IncomingStreams({ state, limits, apply, fault, stalls, account, resumable });
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
    path.attach({
      message: (message) => this.#apply(state.receive(message)),
      stream: (stream, epoch, source) => this.#incoming.pair(stream, epoch, source),
      suspended: () => apply(state.suspend()),
      resumed: () => apply(state.resume()),
      ended: (error, closed) => this.#pathEnded(error, closed),
    });
    apply(state.begin());
  }

  get peer(): Peer {
    return this.#peer;
  }

  /** The streams that the far end opened. */
  get incoming(): ReadableStream<MessageReadable> {
    return this.#incoming.queue.readable;
  }

  /** True while the channel can be used. */
  get usable(): boolean {
    return this.#mode === "open";
  }

  /** True while {@link close} closes the channel, or waits until it is closed. */
  get closable(): boolean {
    return this.#mode === "open" || this.#mode === "closing";
  }

  /** True while the way to the far end is lost, and may come back. */
  get suspended(): boolean {
    return this.#mode !== "over" && !this.#state.isFlowing;
  }

  /** @throws ConecError why the channel cannot be used */
  checkUsable(): void {
    if (this.#mode === "open") return;
    if (this.#mode === "passing") throw detachedError();
    throw this.#error ?? closedError("The channel was closed");
  }

  createStream(info: MessageStreamInfo, signal?: AbortSignal): Promise<MessageWritable> {
    return this.#outgoing.open(info, signal);
  }

  /** Hands this end to the far end of the channel that has the id `via` on this connection. */
  async pass(via: number, metadata: Metadata, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.beginPass();
    let abort!: () => void;
    const answer = new Promise<void>((resolve, reject) => {
      this.#settlePassed = { resolve, reject };
      abort = () => reject(signal!.reason as Error);
    });
    signal?.addEventListener("abort", abort, { once: true });
    void this.#apply(this.#state.pass(via, metadata));
    await answer.finally(() => signal?.removeEventListener("abort", abort));
  }

  /**
   * From now on until {@link endPass} the channel cannot be used here.
   *
   * @throws ConecError `streams-open`, and as {@link checkUsable}
   */
  beginPass(): void {
    this.checkUsable();
    const { outgoing, incoming } = this.#state.openStreams;
    if (outgoing + incoming > 0) {
      const message = `A channel with open streams (${outgoing + incoming}) cannot be passed on`;
      throw new ConecError("streams-open", message, { source: "channel" });
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

  /**
   * Closes the channel: what is ending may end, the rest is cut.
   *
   * @throws ConecError `detached`; the signal's reason, after what was ending has been cut, too
   */
  async close(info: CloseInfo, signal?: AbortSignal): Promise<void> {
    if (this.#mode === "passing" || this.#error?.code === "detached") throw detachedError();
    if (this.#mode === "open") {
      this.#mode = "closing";
      this.#closing = { info, done: this.#close(info) };
    }
    const cut = (): void => this.#cut();
    signal?.addEventListener("abort", cut, { once: true });
    if (signal?.aborted) cut();
    await this.#closing?.done;
    signal?.removeEventListener("abort", cut);
    signal?.throwIfAborted();
  }

  /** Ends the channel at once, telling the peer why. */
  fail(error: ConecError): void {
    if (this.#mode === "over") return;
    void this.path.send({ type: "close", closeCode: 0, reason: reasonText(error), code: error.code });
    this.#finish(undefined, error);
  }

  stats(): ChannelEndStats {
    const [out, back] = [this.#outgoing.counters, this.#incoming.counters];
    return {
      streamsOpened: out.streams,
      streamsReceived: back.streams,
      openStreams: this.#outgoing.size + this.#incoming.size,
      messagesSent: out.messages,
      messagesReceived: back.messages,
      bytesSent: out.bytes,
      bytesReceived: back.bytes,
    };
  }

  async #close(info: CloseInfo): Promise<void> {
    const error = closedError(info.reason === "" ? "The channel was closed" : info.reason);
    const deadline = new Promise<void>((resolve) => (this.#cut = resolve));
    const stop = unrefTimeout(this.#drainTimeoutMs, () => this.#cut());
    this.#incoming.failAll(error);
    this.#outgoing.wake();
    await this.#outgoing.drain(error, deadline);
    void this.path.send({ type: "close", ...info });
    this.path.end();
    await Promise.race([this.closed.catch(ignore), deadline]);
    stop();
    this.#finish(info);
  }

  #pathEnded(error?: ConecError, closed?: CloseInfo): void {
    if (this.#closing !== undefined) return this.#finish(this.#closing.info);
    // The channel that a connection is for ends with it; one that goes on to another party has lost that party.
    if (closed !== undefined && !this.#relayed) return this.#finish(closed);
    const lost = new ConecError("connection-lost", "The channel ended without a close", {
      source: "channel",
      remote: true,
    });
    this.#finish(undefined, error ?? lost);
  }

  /** The end of the end: everything settles. The first call counts. */
  #finish(info: CloseInfo | undefined, error?: ConecError): void {
    if (this.#mode === "over") return;
    this.#mode = "over";
    const reason = info === undefined || info.reason === "" ? "The channel was closed" : info.reason;
    this.#error = error ?? new ConecError("closed", reason, { source: "channel", remote: this.#closing === undefined });
    this.#state.finish();
    this.#outgoing.failAll(this.#error);
    this.#outgoing.wake();
    this.#incoming.end(this.#error);
    this.#settlePassed?.reject(this.#error);
    this.path.end();
    if (error === undefined) this.#settleClosed.resolve(info!);
    else this.#settleClosed.reject(error);
  }

  /** Returns a promise when the path would have the sender wait. */
  #apply(actions: readonly Action[]): void | Promise<void> {
    let sent: void | Promise<void> = undefined;
    for (const action of actions) {
      switch (action.do) {
        case "send":
          sent = this.path.send(action.message);
          break;
        case "surface":
          // What the peer opens while this end closes ends with the close.
          if (this.#mode === "open" || this.#mode === "passing") this.#incoming.surface(action.stream, action);
          break;
        case "confirmWritable":
          this.#outgoing.confirm(action.stream);
          break;
        case "failWritable":
          this.#outgoing.fail(action.stream, action.error);
          break;
        case "failReadable":
          this.#incoming.fail(action.stream, action.error);
          break;
        case "credit":
          this.#outgoing.wake();
          break;
        case "confirm":
          if (!this.#outgoing.confirmSome(action.stream, action.messages)) this.fail(tooMuchReceived());
          break;
        case "suspend":
          this.#outgoing.suspend();
          this.#incoming.suspend();
          this.onSuspend?.();
          break;
        case "report":
          sent = this.#apply(this.#state.report(this.#incoming.received()));
          break;
        case "flow":
          if (!this.#outgoing.flow(action.received)) this.fail(tooMuchReceived());
          this.#incoming.flow();
          this.onSuspend?.();
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
}

function tooMuchReceived(): ConecError {
  const message = "More of a stream was received than was sent";
  return new ConecError("protocol-error", message, { source: "channel", remote: true });
}

function closedError(message: string): ConecError {
  return new ConecError("closed", message, { source: "channel" });
}

function detachedError(): ConecError {
  return new ConecError("detached", "The channel was passed on", { source: "channel" });
}
