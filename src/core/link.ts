// SPDX-License-Identifier: Apache-2.0
/**
 * A channel as the Coordinator sees it: two sides, each with the path to whoever holds that end, and what comes on one
 * goes out on the other. Control messages are read, so that the Coordinator knows what is open; data streams are bytes
 * that are piped through. Longer than most: forwarding, handing on and resuming are one state.
 */
import type { ChannelPath } from "./channel-path.ts";
import type { ControlMessage, ControlMessageOf, Peer } from "./control-messages.ts";
import type { ForwardedChannel } from "./coordinator-options.ts";
import { ConecError, quoted, reasonText } from "./errors.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { createSide, forgetStreams, otherSide } from "./link-side.ts";
import type { LinkHolder, LinkSide, Side } from "./link-side.ts";
import type { CloseInfo } from "./transport.ts";
import { discard } from "../streams/linger.ts";
import { forward } from "../streams/forward.ts";
import type { ForwardProgress } from "../streams/forward.ts";
import { stalledError } from "./slow-readers.ts";
import type { SlowReaders } from "./slow-readers.ts";
import type { ByteSource } from "../streams/byte-ends.ts";
import type { Metadata } from "../streams/message-writable.ts";
import { ignore } from "../streams/ignore.ts";

export interface LinkOptions {
  /** Tells it apart from others. */
  id: number;
  metadata: Metadata;
  /** How many data streams each side may have open or unread at once. */
  streamLimit: number;
  /** How long streams may go on after the channel was closed. */
  drainTimeoutMs: number;
  /** The party on a side asks that its end be handed on. */
  onSendChannel: (side: Side, via: number, metadata: Metadata) => void;
  /** A limit was reached, of this name. */
  limited: (limit: string) => void;
  /** What becomes of streams that nobody reads. */
  slowReaders: SlowReaders | undefined;
  /** An end is held by somebody else now. */
  passed: (to: Peer) => void;
}

type StreamMessage = ControlMessageOf<"open" | "finished" | "abort" | "stop" | "maxStreams" | "received" | "resumeAt">;

export class Link {
  readonly metadata: Metadata;
  /** Resolves when either end has closed the channel, rejects with `peer-lost` and the like. Never unhandled. */
  readonly closed: Promise<CloseInfo>;
  readonly #options: LinkOptions;
  readonly #sides: [LinkSide, LinkSide];
  /** One for each stream that is being forwarded; most channels are idle and have none. */
  #forwarding: Set<AbortController> | undefined;
  /** How often the channel was resumed: streams of another epoch do not count. */
  #epoch = 0;
  /** Something was lost since the epoch began. */
  #broken = false;
  /** Who has yet to say what it has received, since the epoch began. */
  readonly #unanswered = new Set<Side>();
  /** What one side sent while nobody held the other. */
  readonly #waiting: [(() => void)[], (() => void)[]] = [[], []];
  #settle!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };
  /** What the ends were told, or are to be told, once the channel is over. */
  #farewell: ControlMessage | undefined;
  #streamsForwarded = 0;

  constructor(options: LinkOptions) {
    this.metadata = options.metadata;
    this.#options = options;
    this.#sides = [createSide(options.streamLimit), createSide(options.streamLimit)];
    this.closed = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.closed.catch(ignore);
  }

  get over(): boolean {
    return this.#farewell !== undefined;
  }

  /**
   * For each side: streams opened so far, for whoever takes the end of `side` over. What the far end opened and nobody was told
   * waits for the one who is asked now.
   */
  openedFor(side: Side): [number, number] {
    const count = (of: Side): number => (of === side ? this.#sides[of].opened : this.#sides[of].announced);
    return [count(0), count(1)];
  }

  /** For each side: how many streams may be opened. */
  get maxStreams(): [number, number] {
    return [this.#sides[0].maxStreams, this.#sides[1].maxStreams];
  }

  get epoch(): number {
    return this.#epoch;
  }

  get openStreams(): number {
    return this.#sides[0].open.size + this.#sides[1].open.size;
  }

  get streamsForwarded(): number {
    return this.#streamsForwarded;
  }

  get bytesForwarded(): [number, number] {
    return [this.#sides[0].bytesForwarded, this.#sides[1].bytesForwarded];
  }

  /** What there is to say of it now. */
  details(): ForwardedChannel {
    const { metadata, openStreams, streamsForwarded, bytesForwarded } = this;
    const between = [this.peer(0), this.peer(1)] as const;
    return { id: this.#options.id, between, metadata, openStreams, streamsForwarded, bytesForwarded };
  }

  /** Who holds the end of a side, if anyone. */
  holder(side: Side): LinkHolder | undefined {
    return this.#sides[side].holder;
  }

  peer(side: Side): Peer | undefined {
    return this.#sides[side].holder?.peer;
  }

  /** Which side this path leads to, if it is one of this link's. */
  sideOf(path: ChannelPath): Side | undefined {
    if (this.#sides[0].path === path) return 0;
    return this.#sides[1].path === path ? 1 : undefined;
  }

  /** From now on `holder` has this side's end, and is reached by `path`. */
  attach(side: Side, path: ChannelPath, holder: LinkHolder): void {
    const other = otherSide(side);
    const taken = this.#sides[side].holder !== undefined;
    forgetStreams(this.#sides[side]);
    this.#sides[side].path = path;
    this.#sides[side].holder = holder;
    this.#sides[side].away = false;
    this.#sides[side].sinceMs = performance.now();
    if (this.over) return this.dismiss(path);
    const { peer } = holder;
    path.attach({
      message: (message) => this.#message(side, path, message),
      stream: (stream, epoch, source) => this.#stream(side, stream, epoch, source),
      suspended: () => this.#suspended(side, path),
      resumed: () => this.#resumed(side, path),
      ended: (error) => this.#ended(side, path, error),
    });
    // The former holder was asked, not this one: all begin anew.
    if (this.#unanswered.size > 0) this.#broken = true;
    if (taken) {
      void this.#deliver(side, () => this.#sides[other].path?.send({ type: "peer", peer }));
      this.#options.passed(peer);
    }
    for (const deliver of this.#waiting[other].splice(0)) deliver();
    this.#resume();
  }

  /** What comes for this side waits until {@link attach}. Its own traffic is still taken. */
  freeze(side: Side): ChannelPath | undefined {
    const { path } = this.#sides[side];
    this.#sides[side].path = undefined;
    return path;
  }

  /** The end of this side goes on where it was before {@link freeze}. */
  thaw(side: Side, path: ChannelPath): void {
    if (this.over) return this.dismiss(path);
    this.#sides[side].path = path;
    for (const deliver of this.#waiting[otherSide(side)].splice(0)) deliver();
    this.#resume();
  }

  /** Tells whoever is behind a path that came too late how the channel ended. */
  dismiss(path: ChannelPath): void {
    void path.send(this.#farewell!);
    path.end();
  }

  /** Ends the channel at both ends. The first call counts. */
  close(info: CloseInfo, error?: ConecError): void {
    if (this.over) return;
    const message = closeMessage(info, error);
    for (const { path } of this.#sides) void path?.send(message);
    this.#finish(info, error);
  }

  #message(side: Side, path: ChannelPath, message: ControlMessage): void | Promise<void> {
    if (this.over) return;
    switch (message.type) {
      case "open":
      case "finished":
      case "abort":
      case "stop":
      case "maxStreams":
      case "received":
      case "resumeAt":
        this.#count(side, message);
        return this.#deliver(side, () => this.#relay(side, message));
      case "sendChannel":
        if (this.#sides[side].path === path) return this.#options.onSendChannel(side, message.via, message.metadata);
        return this.#fault(side, "protocol-error", "The channel is being passed on already", path);
      case "ping":
        return this.#sides[side].path?.send({ type: "pong", id: message.id });
      case "close":
        return this.#closedBy(side, message);
      case "pong":
      case "goaway":
        return;
      default:
        return this.#fault(side, "protocol-error", `A ${message.type} message has no place here`);
    }
  }

  /** Keeps count of a message about streams as it comes, be the far end there or not. Ends the channel if it must not be. */
  #count(side: Side, message: StreamMessage): void {
    const from = this.#sides[side];
    const to = this.#sides[otherSide(side)];
    switch (message.type) {
      case "open":
        from.opened += 1;
        from.open.set(message.stream, this.#options.slowReaders === undefined ? undefined : message);
        from.holder?.streamOpened?.();
        // The far end holds its peer to what it granted; this is for two ends that are in league.
        if (from.open.size > this.#options.streamLimit * 2) this.#limit(side, "Too many open streams");
        break;
      case "abort":
        if (from.open.delete(message.stream)) from.holder?.streamsOver?.(1);
        break;
      case "finished":
      case "stop":
        if (to.open.delete(message.stream)) to.holder?.streamsOver?.(1);
        break;
      case "maxStreams":
        to.maxStreams = Math.max(to.maxStreams, message.count);
        break;
      case "received":
      case "resumeAt":
        break;
    }
  }

  /** Hands a message about streams on to whoever holds the end across. */
  #relay(side: Side, message: StreamMessage): void | Promise<void> {
    if (this.over) return;
    if (message.type === "open") this.#sides[side].announced += 1;
    if (message.type === "resumeAt") {
      if (this.#broken) return; // they are asked again
      if (message.last && message.epoch === this.#epoch) this.#unanswered.delete(side);
    }
    return this.#sides[otherSide(side)].path?.send(message);
  }

  #closedBy(side: Side, message: ControlMessageOf<"close">): void {
    const { closeCode, reason, code } = message;
    const error = code === undefined ? undefined : new ConecError(code, reason, { source: "channel", remote: true });
    void this.#sides[otherSide(side)].path?.send(message);
    this.#finish({ closeCode, reason }, error, side);
  }

  /** What is on its way is lost: the far end is told, and both go on when both are there. */
  #suspended(side: Side, path: ChannelPath): void {
    if (this.over || !this.#isHolders(side, path)) return;
    this.#sides[side].away = true;
    const other = this.#sides[otherSide(side)];
    if (!this.#broken && !other.away) void other.path?.send({ type: "suspend" });
    this.#broken = true;
    this.#cut(new ConecError("connection-lost", "The far end is away", { source: "stream" }));
  }

  #resumed(side: Side, path: ChannelPath): void {
    if (this.over || !this.#isHolders(side, path)) return;
    this.#sides[side].away = false;
    this.#resume();
  }

  /** Whether this is the path of whoever holds the end of a side, which may be frozen. */
  #isHolders(side: Side, path: ChannelPath): boolean {
    const current = this.#sides[side].path;
    return current === undefined || current === path;
  }

  /** Begins another epoch, if something was lost and both ends are there. */
  #resume(): void {
    if (!this.#broken || this.#sides.some(({ path, away }) => path === undefined || away)) return;
    this.#broken = false;
    this.#epoch += 1;
    for (const side of [0, 1] as const) this.#unanswered.add(side);
    for (const { path } of this.#sides) void path!.send({ type: "resume", epoch: this.#epoch });
  }

  #stream(side: Side, stream: number, epoch: number, source: ByteSource): void {
    void this.#deliver(side, () => void this.#forward(side, stream, epoch, source));
  }

  async #forward(side: Side, stream: number, epoch: number, source: ByteSource): Promise<void> {
    if (this.over || epoch !== this.#epoch || this.#broken) return discard(source.reader);
    const { path } = this.#sides[otherSide(side)];
    const from = this.#sides[side];
    const { holder } = from;
    const onHeld = (bytes: number): void => {
      if (bytes > 0) from.bytesForwarded += bytes;
      holder?.held?.(bytes);
    };
    const controller = new AbortController();
    this.#forwarding ??= new Set();
    this.#forwarding.add(controller);
    this.#streamsForwarded += 1;
    from.bytesForwarded += source.head.length;
    const progress: ForwardProgress = { moved: 0, isWaiting: false, onHeld };
    this.#options.slowReaders?.watch.watch(progress, (stalledMs) => this.#stalled(side, stream, stalledMs, controller));
    try {
      const writer = await path!.openStream(stream, epoch, source.head);
      await forward(source.reader, writer, controller.signal, progress);
    } catch (error) {
      // Why, is said on the control streams: the ends wait for that before they believe a broken stream. Not stopped: what is
      // under way counts against whoever sends it, if the engine throws it away.
      void discard(source.reader, error);
    } finally {
      this.#forwarding.delete(controller);
      this.#options.slowReaders?.watch.forget(progress);
    }
  }

  /** Nobody reads a stream of this side: it may be ended, at both ends. */
  #stalled(side: Side, stream: number, stalledMs: number, forwarding: AbortController): void {
    const [from, to] = [this.#sides[side], this.#sides[otherSide(side)]];
    const info = from.open.get(stream);
    if (info === undefined || from.holder === undefined || to.holder === undefined) return;
    const { name, metadata } = info;
    const [sender, reader] = [from.holder.peer, to.holder.peer];
    const stalled = { direction: "forwarded" as const, from: sender, to: reader, name, metadata, stalledMs };
    if (!this.#options.slowReaders!.isToEnd(stalled)) return;
    const error = stalledError(stalledMs, true);
    this.#options.limited("slowReaders");
    from.open.delete(stream);
    from.holder.streamsOver?.(1);
    const reason = { stream, code: error.code, reason: error.message };
    void from.path?.send({ type: "stop", ...reason });
    void to.path?.send({ type: "abort", ...reason });
    forwarding.abort(error);
  }

  /** Now, or when somebody holds the other side's end. */
  #deliver(side: Side, event: () => void | Promise<void>): void | Promise<void> {
    if (this.over || this.#sides[otherSide(side)].path !== undefined) return event();
    if (this.#waiting[side].length > this.#options.streamLimit * 4) {
      return this.#limit(side, "Too much was sent before the far end was there");
    }
    this.#waiting[side].push(() => void event());
  }

  #limit(side: Side, reason: string): void {
    this.#options.limited("streamsPerChannel");
    this.#fault(side, "limit-exceeded", reason);
  }

  #fault(side: Side, code: "protocol-error" | "limit-exceeded", reason: string, path = this.#sides[side].path): void {
    const error = new ConecError(code, reason, { source: "channel", remote: true });
    void path?.send(closeMessage({ closeCode: 0, reason }, error));
    void this.#sides[otherSide(side)].path?.send(
      closeMessage({ closeCode: 0, reason: "The peer broke the protocol" }, new ConecError("peer-lost", "")),
    );
    this.#finish({ closeCode: 0, reason }, error);
  }

  #ended(side: Side, path: ChannelPath, error?: ConecError): void {
    if (this.over || !this.#isHolders(side, path)) return;
    const reason =
      error === undefined ? "The peer ended the channel without a close" : `The peer is gone: ${quoted(error.message)}`;
    this.#sides[side].path = undefined;
    this.close(
      { closeCode: 0, reason: reasonText(reason) },
      new ConecError("peer-lost", reason, { source: "channel", remote: true, cause: error }),
    );
  }

  /** Ends all streams that are being forwarded. */
  #cut(reason: ConecError): void {
    for (const controller of this.#forwarding ?? []) controller.abort(reason);
  }

  #finish(info: CloseInfo, error?: ConecError, closedBy?: Side): void {
    if (this.over) return;
    this.#farewell = closeMessage(info, error);
    const [used, nowMs] = [this.#sides.some(({ opened }) => opened > 0), performance.now()];
    for (const side of [0, 1] as const) {
      const { path, holder, sinceMs } = this.#sides[side];
      path?.end();
      forgetStreams(this.#sides[side]);
      holder?.channelEnded?.({ closedByIt: closedBy === side, used, livedMs: nowMs - sinceMs });
    }
    for (const waiting of this.#waiting) for (const deliver of waiting.splice(0)) deliver();
    const late = error ?? new ConecError("closed", "The channel was closed");
    unrefTimeout(this.#options.drainTimeoutMs, () => this.#cut(late));
    if (error === undefined) this.#settle.resolve(info);
    else this.#settle.reject(error);
  }
}

function closeMessage({ closeCode, reason }: CloseInfo, error?: ConecError): ControlMessage {
  return { type: "close", closeCode, reason: reasonText(reason), ...(error === undefined ? {} : { code: error.code }) };
}
