// SPDX-License-Identifier: Apache-2.0
/** Longer than most: making, finding, handing on and ending of channels all change the same table. */
import { Channel, endOf } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelPath } from "./channel-path.ts";
import type { Peer } from "./control-messages.ts";
import type { CoordinatorEvent } from "./coordinator-events.ts";
import type { CoordinatorOptions, ForwardedChannel, Introduction } from "./coordinator-options.ts";
import { checkCloseInfo } from "./close-info.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { Link } from "./link.ts";
import { otherSide } from "./link-side.ts";
import type { Side } from "./link-side.ts";
import { createLocalPaths } from "./local-path.ts";
import { Member } from "./member.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SlowReaders } from "./slow-readers.ts";
import { SessionPath } from "./session-path.ts";
import type { Retention } from "../streams/sent-messages.ts";
import type { CloseInfo } from "./transport.ts";
import type { Metadata } from "../streams/message-writable.ts";
import { ignore } from "../streams/ignore.ts";

export interface SwitchboardOptions {
  limits: CoordinatorLimits;
  /** The Coordinator as a peer. */
  self: Peer;
  /** A limit was reached, of this name. */
  limited: (limit: string) => void;
  tell: (event: CoordinatorEvent) => void;
  authorize: CoordinatorOptions["authorize"];
  /** For ends that are held here. */
  host: ChannelHost;
  retention: Retention | undefined;
  memory: MemoryBudget;
  slowReaders: SlowReaders | undefined;
  /** The Client of that id. @throws ConecError `peer-lost` */
  member: (id: string) => Member;
  /** The Client that this channel is shared with, if it is such a channel. */
  memberOf: (channel: Channel) => Member | undefined;
}

/** Makes the channels of a Coordinator, and moves their ends: to Clients, from Client to Client, to the Coordinator. */
export class Switchboard {
  /** Channels that Clients handed to the Coordinator itself. */
  readonly passed = new IncomingQueue<Channel>(undefined, (channel) => void channel.close());
  readonly #options: SwitchboardOptions;
  readonly #links = new Set<Link>();
  /** Where the ends are that are held here. */
  readonly #ports = new WeakMap<Channel, { link: Link; side: Side }>();
  #lastId = 0;
  /** Of channels that are closed. */
  readonly #forwarded = { streams: 0, bytes: 0 };

  constructor(options: SwitchboardOptions) {
    this.#options = options;
  }

  /** Channels that are open. */
  get size(): number {
    return this.#links.size;
  }

  /** Data streams on them that are open. */
  get openStreams(): number {
    return [...this.#links].reduce((sum, link) => sum + link.openStreams, 0);
  }

  /** Data streams forwarded so far. */
  get streamsForwarded(): number {
    return [...this.#links].reduce((sum, link) => sum + link.streamsForwarded, this.#forwarded.streams);
  }

  /** Their bytes. */
  get bytesForwarded(): number {
    return [...this.#links].reduce((sum, link) => sum + bytesOf(link), this.#forwarded.bytes);
  }

  /** The channels that are open, one by one. */
  details(): ForwardedChannel[] {
    return [...this.#links].map((link) => link.details());
  }

  /** A channel between two Clients, once both have accepted it. */
  async introduce(first: Member, second: Member, metadata: Metadata, signal?: AbortSignal): Promise<Introduction> {
    signal?.throwIfAborted();
    const sinceMs = performance.now();
    const link = this.#createLink(metadata);
    const abort = (): void => link.close({ closeCode: 0, reason: "The introduction was given up" });
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await Promise.all([
        this.#offer(link, 0, first, second.peer, metadata),
        this.#offer(link, 1, second, first.peer, metadata),
      ]);
      signal?.throwIfAborted();
    } catch (thrown) {
      const error = toConecError(thrown, "internal");
      link.close({ closeCode: 0, reason: error.message }, error);
      const between = [first.peer, second.peer] as const;
      const durationMs = performance.now() - sinceMs;
      this.#options.tell({ type: "channel-refused", between, metadata, error, durationMs });
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    this.#opened(link, sinceMs);
    return { metadata, closed: link.closed, close: (info) => link.close(checkCloseInfo(info)) };
  }

  /** A channel whose ends are both held here. */
  createChannel(): { port1: Channel; port2: Channel } {
    const { self } = this.#options;
    const link = this.#createLink({});
    const ports = { port1: this.#openPort(link, 0, self, {}), port2: this.#openPort(link, 1, self, {}) };
    this.#opened(link);
    return ports;
  }

  /** Ends all channels. */
  close(info: CloseInfo): void {
    for (const link of this.#links) link.close(info);
    this.passed.close();
  }

  #createLink(metadata: Metadata): Link {
    this.#lastId += 1;
    const link: Link = new Link({
      id: this.#lastId,
      metadata,
      streamLimit: this.#options.limits.streamsPerChannel,
      drainTimeoutMs: this.#options.limits.drainTimeoutMs,
      onSendChannel: (side, via, sent) => void this.#sendOn(link, side, via, sent),
      limited: this.#options.limited,
      slowReaders: this.#options.slowReaders,
      passed: (to) => this.#options.tell({ type: "channel-passed", channel: link.details(), to }),
    });
    this.#links.add(link);
    const forget = (): void => {
      this.#links.delete(link);
      this.#forwarded.streams += link.streamsForwarded;
      this.#forwarded.bytes += bytesOf(link);
    };
    link.closed.then(forget, forget);
    return link;
  }

  /** Tells of a channel that somebody can use, and of its end. */
  #opened(link: Link, sinceMs?: number): void {
    const { tell } = this.#options;
    const openedMs = performance.now();
    const duration = sinceMs === undefined ? {} : { durationMs: openedMs - sinceMs };
    tell({ type: "channel-opened", channel: link.details(), ...duration });
    const closed = (how: { info: CloseInfo } | { error: ConecError }): void => {
      const durationMs = performance.now() - openedMs;
      tell({ type: "channel-closed", channel: link.details(), ...how, durationMs });
    };
    link.closed.then(
      (info) => closed({ info }),
      (error: ConecError) => closed({ error }),
    );
  }

  /** Opens an end of a link here. */
  #openPort(link: Link, side: Side, peer: Peer, metadata: Metadata): Channel {
    const [outer, inner] = createLocalPaths();
    const account = this.#options.memory.open(() => {
      this.#options.limited("memoryPerClient");
      end.fail(new ConecError("limit-exceeded", "Too much is kept for this channel", { source: "channel" }));
    });
    const end: ChannelEnd = new ChannelEnd({
      path: outer,
      end: side,
      peer,
      metadata,
      opened: link.openedFor(side),
      maxStreams: link.maxStreams,
      limits: this.#options.limits,
      relayed: true,
      epoch: link.epoch,
      retention: this.#options.retention,
      account,
      slowReaders: this.#options.slowReaders,
    });
    end.closed.catch(ignore).finally(() => account.close());
    const channel = new Channel(end, this.#options.host);
    this.#ports.set(channel, { link, side });
    link.attach(side, inner, { peer: this.#options.self });
    return channel;
  }

  /** Offers an end of a link to a Client. Resolves when it has accepted. */
  async #offer(link: Link, side: Side, member: Member, peer: Peer, metadata: Metadata): Promise<void> {
    const { maxStreams, epoch } = link;
    const opened = link.openedFor(side);
    const path = await member.offer({ end: side, peer, metadata, opened, maxStreams, epoch }, () => !link.over);
    if (link.over) {
      link.dismiss(path);
      throw await link.closed.then(
        ({ reason }) => new ConecError("closed", `The channel was closed: ${reason}`, { source: "channel" }),
        (error: ConecError) => error,
      );
    }
    link.attach(side, path, member);
  }

  /** The application hands on an end that it holds. */
  async pass(via: Channel, passed: Channel, metadata: Metadata, signal?: AbortSignal): Promise<void> {
    const port = this.#ports.get(passed);
    if (port === undefined)
      throw new ConecError("invalid-argument", "Only a channel that createChannel made can be passed on here", {
        source: "channel",
      });
    const target = this.#options.memberOf(via) ?? this.#farMember(via);
    const end = endOf(passed);
    end.beginPass();
    try {
      signal?.throwIfAborted();
      await this.#handOver(port.link, port.side, target, metadata);
      end.endPass();
    } catch (thrown) {
      end.endPass(toConecError(thrown, "refused"));
      throw thrown;
    }
  }

  /** A Client asks that its end of `link` be handed to whoever is at the far end of its channel `via`. */
  async #sendOn(link: Link, side: Side, via: number, metadata: Metadata): Promise<void> {
    const path = link.freeze(side);
    const holder = link.holder(side);
    if (path === undefined || holder === undefined) return;
    let endRequest: (() => void) | undefined;
    try {
      endRequest = holder.beginRequest?.();
      if (link.openStreams > 0)
        throw new ConecError("streams-open", "A channel with open streams cannot be passed on", { source: "channel" });
      const to = this.#farEnd(path, via);
      const allowed = await this.#options.authorize?.({
        action: "sendChannel",
        from: holder.peer,
        to: to instanceof Member ? to.peer : this.#options.self,
        metadata,
      });
      if (allowed !== true) throw new ConecError("refused", "The Coordinator does not allow it");
      if (to instanceof Member) await this.#handOver(link, side, to, metadata, path);
      else if (!this.passed.open || this.passed.unread >= this.#options.limits.passedChannels) {
        this.#options.limited("passedChannels");
        throw new ConecError("limit-exceeded", "The Coordinator takes no more channels for now");
      } else {
        path.detach(); // whatever its former holder still says is no longer said for this end
        this.passed.push(this.#openPort(link, side, link.peer(otherSide(side)) ?? this.#options.self, metadata));
      }
      await path.send({ type: "accept" });
      path.end();
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void path.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      link.thaw(side, path);
    } finally {
      endRequest?.();
    }
  }

  /** Gives a side's end to a Client, in place of whoever holds it. On failure it stays where it was. */
  async #handOver(
    link: Link,
    side: Side,
    target: Member,
    metadata: Metadata,
    frozen = link.freeze(side),
  ): Promise<void> {
    try {
      await this.#offer(link, side, target, link.peer(otherSide(side)) ?? this.#options.self, metadata);
    } catch (error) {
      if (frozen !== undefined) link.thaw(side, frozen);
      throw error;
    }
    frozen?.detach();
  }

  /** Who is at the far end of the channel that a Client calls `via`. */
  #farEnd(path: ChannelPath, via: number): Member | "coordinator" {
    if (!(path instanceof SessionPath))
      throw new ConecError("invalid-argument", "Not a Client's channel", { source: "channel" });
    if (via === 0) return "coordinator";
    const viaPath = path.session.paths.get(via);
    for (const link of this.#links) {
      const side = viaPath === undefined ? undefined : link.sideOf(viaPath);
      if (side === undefined) continue;
      const peer = link.peer(otherSide(side));
      if (peer === this.#options.self) return "coordinator";
      if (peer !== undefined) return this.#options.member(peer.id);
    }
    throw new ConecError("closed", `There is no channel ${via}`, { source: "channel" });
  }

  /** The Client at the far end of a port held here. */
  #farMember(port: Channel): Member {
    const { link, side } = this.#ports.get(port)!;
    const peer = link.peer(otherSide(side));
    if (peer === undefined || peer === this.#options.self) {
      throw new ConecError("invalid-argument", "The far end of that channel is here, too", { source: "channel" });
    }
    return this.#options.member(peer.id);
  }
}

function bytesOf({ bytesForwarded: [first, second] }: Link): number {
  return first + second;
}
