import { Channel, endOf } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelEndLimits } from "./channel-end.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { Peer } from "./control-messages.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { coordinatorLimits } from "./limits.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { Link } from "./link.ts";
import type { Side } from "./link.ts";
import { createLocalPaths } from "./local-path.ts";
import { checkMetadata, checkName } from "./metadata.ts";
import { Member } from "./member.ts";
import { SessionPath } from "./session.ts";
import type { CloseInfo, Connection, Listener, Remote } from "./transport.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** What a Client says of itself when it joins. */
export interface AuthenticateRequest {
  /** The id it asks for, if any. */
  requestedId: string | undefined;
  /** Whatever it was given as `credentials`. Unverified. */
  credentials: JsonValue | undefined;
  /** Reserved for the key that the Client has proven. */
  publicKey: undefined;
  /** Where it connects from, as far as the transport can tell. */
  remote: Remote;
  transport: string;
}

/** Who a Client is. */
export interface Identity {
  /** Its id; the requested one, or a random one, if absent. */
  id?: string | undefined;
  /** Told to the parties that it gets channels with. */
  metadata?: Metadata | undefined;
}

/** Something that a Client wants to do. */
export interface AuthorizeRequest {
  /** The Client at `from` wants to hand its end of a channel to `to`. */
  action: "sendChannel";
  from: Peer;
  to: Peer;
  /** What it sends along. */
  metadata: Metadata;
}

export interface CoordinatorOptions {
  /** Decides who may join, and as whom; throwing refuses with the thrown reason. Default: anyone, under the id they ask for. */
  authenticate?: (request: AuthenticateRequest) => Identity | Promise<Identity>;
  /** Decides what Clients may start by themselves; throwing refuses with the thrown reason. Default: nothing. */
  authorize?: (request: AuthorizeRequest) => boolean | Promise<boolean>;
  /** When a Client joins with an id that is taken: the newer one takes it over (default), or is refused. */
  duplicateId?: "newest" | "refuse";
  /** How Clients see the Coordinator as a peer. Default id `"coordinator"`. */
  id?: string;
  limits?: Partial<CoordinatorLimits>;
}

export interface IntroduceOptions {
  /** Told to both as `channel.metadata`. Default `{}`. */
  metadata?: Metadata;
  /** Ends the attempt. */
  signal?: AbortSignal;
}

/** A channel between two parties, as the Coordinator that forwards it sees it. */
export interface Introduction {
  readonly metadata: Metadata;
  /** Resolves when either party closed the channel; rejects with `peer-lost` or the like. Never an unhandled rejection. */
  readonly closed: Promise<CloseInfo>;
  /** Ends the channel for both. */
  close(info?: Partial<CloseInfo>): void;
}

/** Figures of a Coordinator. */
export interface CoordinatorStats {
  clients: number;
  /** Connections that have not been authenticated yet. */
  pending: number;
  /** Channels between two parties that are open. */
  links: number;
  /** Data streams forwarded so far. */
  streamsForwarded: number;
  /** Clients turned away so far, by what for. */
  refused: Readonly<Record<string, number>>;
}

/**
 * The party that everyone can reach: lets Clients in, makes channels between them and forwards what goes through.
 *
 * @example
 * ```ts
 * const coordinator = new Coordinator({ authenticate: ({ requestedId }) => ({ id: requestedId }) });
 * coordinator.serve(await listen({ port: 4433, cert, key }));
 * await coordinator.introduce("alice", "bob", { metadata: { room: 7 } });
 * ```
 */
export class Coordinator implements AsyncDisposable {
  /** Resolves when {@link close} is done. */
  readonly closed: Promise<void>;
  readonly #options: CoordinatorOptions;
  readonly #limits: CoordinatorLimits;
  readonly #self: Peer;
  readonly #members = new Map<string, Member>();
  readonly #clients = new Map<string, Channel>();
  readonly #memberOf = new WeakMap<Channel, Member>();
  /** Where the ends are that this Coordinator holds itself. */
  readonly #ports = new WeakMap<Channel, { link: Link; side: Side }>();
  readonly #links = new Set<Link>();
  readonly #listeners = new Set<Listener>();
  readonly #incoming = new IncomingQueue<Channel>();
  readonly #passed = new IncomingQueue<Channel>();
  readonly #refused: Record<string, number> = {};
  #pending = 0;
  #streamsForwarded = 0;
  #closing: Promise<void> | undefined;
  #settleClosed!: () => void;

  constructor(options: CoordinatorOptions = {}) {
    this.#options = options;
    this.#limits = coordinatorLimits(options.limits);
    this.#self = { id: checkName(options.id ?? "coordinator", "An id"), metadata: {} };
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  /** The Clients that are here, by id; each as the channel shared with it. */
  get clients(): ReadonlyMap<string, Channel> {
    return this.#clients;
  }

  /** The channel shared with each Client that joins. Not reading it keeps nobody from joining; who has left is not in it. */
  get incomingChannels(): ReadableStream<Channel> {
    return this.#incoming.readable;
  }

  /** Channels that Clients handed to the Coordinator itself (`client.coordinator.sendChannel(channel)`). */
  get passedChannels(): ReadableStream<Channel> {
    return this.#passed.readable;
  }

  /**
   * Takes connections from a listener, until it or the Coordinator is closed. Several may be served at once. The
   * Coordinator closes it when it is closed itself.
   *
   * @throws ConecError `closed`
   */
  serve(listener: Listener): void {
    this.#checkOpen();
    this.#listeners.add(listener);
    listener.closed.catch(ignore).finally(() => this.#listeners.delete(listener));
    void this.#serve(listener);
  }

  /**
   * Makes a channel between two Clients. Resolves when both have accepted it.
   *
   * @throws ConecError `refused` or `limit-exceeded` when one of them does not take it, `peer-lost` when one of them is
   * not here or goes away, `timeout`, `invalid-argument`; the signal's reason
   */
  async introduce(first: string, second: string, options: IntroduceOptions = {}): Promise<Introduction> {
    this.#checkOpen();
    const metadata = checkMetadata(options.metadata);
    options.signal?.throwIfAborted();
    const members = [this.#member(first), this.#member(second)] as const;
    const link = this.#createLink(metadata);
    const abort = (): void => link.close({ closeCode: 0, reason: "The introduction was given up" });
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      await Promise.all([
        this.#offer(link, 0, members[0], members[1].peer, metadata),
        this.#offer(link, 1, members[1], members[0].peer, metadata),
      ]);
      options.signal?.throwIfAborted();
    } catch (thrown) {
      const error = toConecError(thrown, "internal");
      link.close({ closeCode: 0, reason: error.message }, error);
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
    }
    return { metadata, closed: link.closed, close: (info) => link.close(checkCloseInfo(info)) };
  }

  /** Makes a channel and holds both its ends here: use them, or send them to Clients. @throws ConecError `closed` */
  createChannel(): { port1: Channel; port2: Channel } {
    this.#checkOpen();
    const link = this.#createLink({});
    return { port1: this.#openPort(link, 0, this.#self, {}), port2: this.#openPort(link, 1, this.#self, {}) };
  }

  /** Closes every channel and connection and all listeners. Streams that are closing get the time to be received. */
  async close(info: Partial<CloseInfo> = {}): Promise<void> {
    const checked = checkCloseInfo(info);
    this.#closing ??= this.#close(checked);
    await this.#closing;
  }

  async getStats(): Promise<CoordinatorStats> {
    let streamsForwarded = this.#streamsForwarded;
    for (const link of this.#links) streamsForwarded += link.streamsForwarded;
    return { clients: this.#members.size, pending: this.#pending, links: this.#links.size, streamsForwarded, refused: { ...this.#refused } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // Clients that come and go.

  async #serve(listener: Listener): Promise<void> {
    try {
      for await (const connection of listener.incomingConnections) void this.#admit(connection);
    } catch {
      // The listener broke, which its `closed` tells whoever made it.
    }
  }

  async #admit(connection: Connection): Promise<void> {
    if (this.#closing !== undefined) return connection.close({ closeCode: 0, reason: "The Coordinator is closing" });
    if (this.#pending >= this.#limits.maxPending) {
      this.#count("limit-exceeded");
      return connection.close({ closeCode: 2, reason: "Too many Clients are joining" });
    }
    this.#pending += 1;
    try {
      await Member.admit(connection, this.#limits, (member, hello) => this.#join(member, hello));
    } catch (error) {
      this.#count(toConecError(error, "connection-lost").code);
    } finally {
      this.#pending -= 1;
    }
  }

  /** Decides on a Client's hello. What it throws, the Client is told. */
  async #join(member: Member, request: AuthenticateRequest): Promise<void> {
    const identity = (await this.#options.authenticate?.(request)) ?? {};
    const id = checkName(identity.id ?? request.requestedId ?? crypto.randomUUID(), "An id");
    const peer = { id, metadata: checkMetadata(identity.metadata) };
    this.#checkOpen();
    const old = this.#members.get(id);
    if (old !== undefined && this.#options.duplicateId === "refuse") throw new ConecError("refused", `The id "${id}" is taken`);
    if (old === undefined && this.#members.size >= this.#limits.maxClients) throw new ConecError("limit-exceeded", "The Coordinator is full");
    if (old !== undefined) {
      this.#leave(old);
      old.fail(new ConecError("replaced", "A newer connection took over this id"));
    }
    const end = member.welcome(peer, this.#self, this.#endLimits());
    const channel = new Channel(end, this.#host(member));
    this.#members.set(id, member);
    this.#clients.set(id, channel);
    this.#memberOf.set(channel, member);
    member.channel = channel;
    void member.gone.then(() => this.#leave(member));
    this.#incoming.push(channel);
  }

  #leave(member: Member): void {
    const { id } = member.peer;
    if (this.#members.get(id) === member) {
      this.#members.delete(id);
      this.#clients.delete(id);
    }
    if (member.channel !== undefined) this.#incoming.remove(member.channel);
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new ConecError("peer-lost", `There is no Client "${id}" here`, { source: "channel" });
    return member;
  }

  // Channels.

  #createLink(metadata: Metadata): Link {
    const link: Link = new Link({
      metadata,
      streamLimit: this.#limits.streamsPerChannel,
      drainTimeoutMs: this.#limits.drainTimeoutMs,
      onSendChannel: (side, via, sent) => void this.#sendOn(link, side, via, sent),
    });
    this.#links.add(link);
    link.closed.catch(ignore).finally(() => {
      this.#links.delete(link);
      this.#streamsForwarded += link.streamsForwarded;
    });
    return link;
  }

  /** Opens an end of a link here. */
  #openPort(link: Link, side: Side, peer: Peer, metadata: Metadata): Channel {
    const [outer, inner] = createLocalPaths();
    const end = new ChannelEnd({
      path: outer, end: side, peer, metadata,
      opened: link.opened, maxStreams: link.maxStreams, limits: this.#endLimits(),
    });
    const channel = new Channel(end, this.#host());
    this.#ports.set(channel, { link, side });
    link.attach(side, inner, this.#self);
    return channel;
  }

  /** Offers an end of a link to a Client. Resolves when it has accepted. */
  async #offer(link: Link, side: Side, member: Member, peer: Peer, metadata: Metadata): Promise<void> {
    const path = await member.offer({ end: side, peer, metadata, opened: link.opened, maxStreams: link.maxStreams });
    if (link.over) {
      path.end();
      throw await link.closed.then(
        ({ reason }) => new ConecError("closed", `The channel was closed: ${reason}`, { source: "channel" }),
        (error: ConecError) => error,
      );
    }
    link.attach(side, path, member.peer);
  }

  /** The application hands on an end that it holds. */
  async #pass(via: Channel, passed: Channel, metadata: Metadata, signal?: AbortSignal): Promise<void> {
    const port = this.#ports.get(passed);
    if (port === undefined) throw new ConecError("invalid-argument", "Only a channel that createChannel made can be passed on here", { source: "channel" });
    const target = this.#memberOf.get(via) ?? this.#farMember(via);
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
    const from = link.peer(side);
    if (path === undefined || from === undefined) return;
    try {
      if (link.openStreams > 0) throw new ConecError("streams-open", "A channel with open streams cannot be passed on", { source: "channel" });
      const to = this.#farEnd(path, via);
      const allowed = await this.#options.authorize?.({ action: "sendChannel", from, to: to instanceof Member ? to.peer : this.#self, metadata });
      if (allowed !== true) throw new ConecError("refused", "The Coordinator does not allow it");
      if (to instanceof Member) await this.#handOver(link, side, to, metadata, path);
      else this.#passed.push(this.#openPort(link, side, link.peer(side === 0 ? 1 : 0) ?? this.#self, metadata));
      await path.send({ type: "accept" });
      path.end();
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void path.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      link.thaw(side, path);
    }
  }

  /** Gives a side's end to a Client, in place of whoever holds it. On failure it stays where it was. */
  async #handOver(link: Link, side: Side, target: Member, metadata: Metadata, frozen = link.freeze(side)): Promise<void> {
    try {
      await this.#offer(link, side, target, link.peer(side === 0 ? 1 : 0) ?? this.#self, metadata);
    } catch (error) {
      if (frozen !== undefined) link.thaw(side, frozen);
      throw error;
    }
    frozen?.detach();
  }

  /** Who is at the far end of the channel that a Client calls `via`. */
  #farEnd(path: unknown, via: number): Member | "coordinator" {
    if (!(path instanceof SessionPath)) throw new ConecError("invalid-argument", "Not a Client's channel", { source: "channel" });
    if (via === 0) return "coordinator";
    const viaPath = path.session.path(via);
    for (const link of this.#links) {
      const side = viaPath === undefined ? undefined : link.sideOf(viaPath);
      if (side === undefined) continue;
      const peer = link.peer(side === 0 ? 1 : 0);
      if (peer === this.#self) return "coordinator";
      if (peer !== undefined) return this.#member(peer.id);
    }
    throw new ConecError("closed", `There is no channel ${via}`, { source: "channel" });
  }

  /** The Client at the far end of a port held here. */
  #farMember(port: Channel): Member {
    const { link, side } = this.#ports.get(port)!;
    const peer = link.peer(side === 0 ? 1 : 0);
    if (peer === undefined || peer === this.#self) {
      throw new ConecError("invalid-argument", "The far end of that channel is here, too", { source: "channel" });
    }
    return this.#member(peer.id);
  }

  #host(member?: Member): ChannelHost {
    return {
      pass: (via, passed, metadata, signal) => this.#pass(via, passed, metadata, signal),
      connectionStats: async () =>
        member === undefined
          ? { transport: "local", relayed: false }
          : { ...(await member.connection.getStats()), transport: member.connection.transport, relayed: false },
    };
  }

  #endLimits(): ChannelEndLimits {
    const { streamsPerChannel, maxMessageBytes, pairTimeoutMs, drainTimeoutMs } = this.#limits;
    return { streamLimit: streamsPerChannel, maxMessageBytes, pairTimeoutMs, drainTimeoutMs };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ConecError("closed", "The Coordinator was closed");
  }

  #count(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  async #close(info: CloseInfo): Promise<void> {
    for (const link of this.#links) link.close(info);
    await Promise.all([...this.#members.values()].map((member) => member.close(info)));
    await Promise.all([...this.#listeners].map((listener) => listener.close(info)));
    this.#incoming.close();
    this.#passed.close();
    this.#settleClosed();
  }
}

function ignore(): void {}
