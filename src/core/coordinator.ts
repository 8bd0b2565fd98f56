// SPDX-License-Identifier: Apache-2.0
/** Longer than most: who is let in, who is here and who leaves is one state. */
import { Channel } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { CloseOptions } from "./close-info.ts";
import type { Peer } from "./control-messages.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import type { CoordinatorEvent } from "./coordinator-events.ts";
import type {
  AuthenticateRequest,
  CoordinatorDetails,
  CoordinatorOptions,
  CoordinatorStats,
  IntroduceOptions,
  Introduction,
} from "./coordinator-options.ts";
import { ConecError, quoted, toConecError } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { closeInfoOf, closeSoon } from "./farewell.ts";
import { inTime } from "./in-time.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { JoiningLine } from "./joining-line.ts";
import { coordinatorLimits, retentionOf } from "./limits.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { Member } from "./member.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { checkId, checkMetadata } from "./metadata.ts";
import { SlowReaders } from "./slow-readers.ts";
import { sourceOf } from "./source-of.ts";
import { Switchboard } from "./switchboard.ts";
import type { CloseInfo, Connection, Listener } from "./transport.ts";
import type { Retention } from "../streams/sent-messages.ts";
import { ignore } from "../streams/ignore.ts";

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
  readonly #switchboard: Switchboard;
  readonly #members = new Map<string, Member>();
  readonly #clients = new Map<string, Channel>();
  readonly #memberOf = new WeakMap<Channel, Member>();
  /** Those who may go on when their connection was lost, by their tokens. */
  readonly #resumable = new Map<string, Member>();
  readonly #slowReaders: SlowReaders | undefined;
  /** What is kept for Clients. */
  readonly #memory: MemoryBudget;
  /** What is kept of what is sent on channels that end here. */
  readonly #retention: Retention | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #incoming = new IncomingQueue<Channel>();
  readonly #joining: JoiningLine<Newcomer>;
  readonly #events = new CoordinatorEvents();
  #closing: Promise<void> | undefined;
  #settleClosed!: () => void;

  /** Takes nobody in before {@link serve}. @throws ConecError `invalid-argument` */
  constructor(options: CoordinatorOptions = {}) {
    this.#options = checkOptions(options, "a Coordinator");
    this.#limits = coordinatorLimits(options.limits);
    this.#joining = new JoiningLine(this.#limits.maxPending, this.#limits.pendingPerSource);
    this.#self = { id: checkId(options.id ?? "coordinator"), metadata: {} };
    this.#retention = retentionOf(this.#limits);
    this.#slowReaders = SlowReaders.create(options.slowReaders, () => this.#self);
    this.#memory = new MemoryBudget(this.#limits.memoryPerClient, this.#limits.memoryInAll);
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    this.#switchboard = new Switchboard({
      limits: this.#limits,
      self: this.#self,
      limited: this.#events.limit,
      tell: this.#events.tell,
      authorize: options.authorize,
      host: this.#host(),
      retention: this.#retention,
      memory: this.#memory,
      slowReaders: this.#slowReaders,
      member: (id) => this.#member(id),
      memberOf: (channel) => this.#memberOf.get(channel),
    });
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
    return this.#switchboard.passed.readable;
  }

  /**
   * Takes connections from a listener, until it or the Coordinator is closed. Several may be served at once. The
   * Coordinator closes it when it is closed itself.
   *
   * @throws ConecError `closed`; `invalid-argument` for what is no listener
   */
  serve(listener: Listener): void {
    this.#checkOpen();
    if (typeof listener?.incomingConnections !== "object" || typeof listener.closed?.then !== "function") {
      throw new ConecError("invalid-argument", "A listener is needed, such as `await listen(…)` of conec/quic gives");
    }
    if (this.#listeners.has(listener)) throw new ConecError("invalid-argument", "The listener is served already");
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
    const { metadata, signal } = checkOptions(options, "introduce");
    const checked = checkMetadata(metadata);
    return await this.#switchboard.introduce(this.#member(first), this.#member(second), checked, signal);
  }

  /** Makes a channel and holds both its ends here: use them, or send them to Clients. @throws ConecError `closed` */
  createChannel(): { port1: Channel; port2: Channel } {
    this.#checkOpen();
    return this.#switchboard.createChannel();
  }

  /** Closes every channel and connection and all listeners. Streams that are closing get the time to be received. */
  async close(options: CloseOptions = {}): Promise<void> {
    const info = checkCloseInfo(options);
    this.#closing ??= this.#close(info, options.signal);
    await this.#closing;
    options.signal?.throwIfAborted();
  }

  /** Figures of now, and since the start. */
  async getStats(): Promise<CoordinatorStats> {
    return {
      clients: this.#members.size,
      away: [...this.#members.values()].filter(({ isAway }) => isAway).length,
      pending: this.#joining.size,
      bytesHeld: this.#memory.used,
      links: this.#switchboard.size,
      openStreams: this.#switchboard.openStreams,
      streamsForwarded: this.#switchboard.streamsForwarded,
      bytesForwarded: this.#switchboard.bytesForwarded,
      refused: { ...this.#events.refused },
      limited: { ...this.#events.limited },
    };
  }

  /** Everything that is here now, one by one: as much work as there are Clients. */
  async getDetails(): Promise<CoordinatorDetails> {
    const clients = await Promise.all([...this.#members.values()].map((member) => member.details()));
    return { clients, channels: this.#switchboard.details() };
  }

  /** Has `observer` told what happens here, from now on. Returns what ends that. What it throws is an uncaught exception. */
  subscribe(observer: (event: CoordinatorEvent) => void): () => void {
    return this.#events.subscribe(observer);
  }

  /** As {@link close}. */
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
    const source = sourceOf(connection.remote.host);
    const newcomer: Newcomer = { connection, sinceMs: performance.now(), startTurn: ignore, isCrowdedOut: false };
    const turn = new Promise<void>((resolve) => (newcomer.startTurn = resolve));
    const { place, evicted } = this.#joining.enter(source, newcomer);
    if (evicted !== undefined) this.#crowdOut(evicted);
    if (place === "close") return this.#crowdOut(newcomer);
    try {
      if (place === "wait") {
        this.#events.limit("pendingPerSource");
        await inTime(turn, connection, this.#limits.authenticateTimeoutMs, "It was not the Client's turn");
      }
      const admission = {
        limits: this.#limits,
        authorities: this.#options.authorities,
        limited: this.#events.limit,
        tell: this.#events.tell,
        resumable: (token: string) => this.#resumable.get(token),
        memory: this.#memory,
      };
      await Member.admit(connection, admission, (member, request) => this.#join(member, request, newcomer));
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      if (newcomer.isCrowdedOut) return;
      if (error.code === "timeout") this.#events.limit("authenticateTimeoutMs");
      this.#events.refuse(error, connection, newcomer.sinceMs);
      await closeSoon(connection, closeInfoOf(error));
    } finally {
      this.#joining.leave(source, newcomer)?.startTurn();
    }
  }

  #crowdOut(newcomer: Newcomer): void {
    const error = new ConecError("limit-exceeded", "Too many Clients are joining");
    this.#events.limit("maxPending");
    this.#events.refuse(error, newcomer.connection, newcomer.sinceMs);
    newcomer.isCrowdedOut = true;
    newcomer.connection.close(closeInfoOf(error));
  }

  /** Decides on a Client that has proven its key. What it throws, the Client is told. */
  async #join(member: Member, request: AuthenticateRequest, { sinceMs }: Newcomer): Promise<void> {
    const identity = (await this.#options.authenticate?.(request)) ?? {};
    const id = checkId(identity.id ?? request.requestedId ?? crypto.randomUUID());
    const peer = { id, metadata: checkMetadata(identity.metadata), publicKey: request.publicKey };
    this.#checkOpen();
    const old = this.#members.get(id);
    if (old !== undefined && !this.#mayReplace(peer, old.peer))
      throw new ConecError("refused", `The id ${quoted(id)} is taken`);
    if (old === undefined && this.#members.size >= this.#limits.maxClients) {
      this.#events.limit("maxClients");
      throw new ConecError("limit-exceeded", "The Coordinator is full");
    }
    if (this.#memory.isTight) {
      this.#events.limit("memoryInAll");
      throw new ConecError("limit-exceeded", "The Coordinator has too much to keep");
    }
    if (old !== undefined) {
      this.#leave(old);
      old.fail(new ConecError("replaced", "A newer connection took over this id"));
    }
    const end = member.welcome(peer, this.#self, { retention: this.#retention, slowReaders: this.#slowReaders });
    const channel = new Channel(end, this.#host(member));
    this.#members.set(id, member);
    this.#clients.set(id, channel);
    this.#memberOf.set(channel, member);
    if (member.token !== undefined) this.#resumable.set(member.token, member);
    member.channel = channel;
    const leave = (): void => this.#leave(member);
    end.closed.then(leave, ignore);
    void member.gone.then(leave);
    this.#incoming.push(channel);
    const { transport, remote } = request;
    const { tell } = this.#events;
    tell({ type: "joined", client: peer, transport, remote, durationMs: performance.now() - sinceMs });
    const left = (how: { info: CloseInfo } | { error: ConecError }): void =>
      void member.gone.then(() => tell({ type: "left", client: peer, ...how }));
    end.closed.then(
      (info) => left({ info }),
      (error: ConecError) => left({ error }),
    );
  }

  #mayReplace(newcomer: Peer, holder: Peer): boolean {
    const { duplicateId = "same-key" } = this.#options;
    if (typeof duplicateId === "function") return duplicateId(newcomer, holder);
    return duplicateId === "newest" || (duplicateId === "same-key" && newcomer.publicKey === holder.publicKey);
  }

  #leave(member: Member): void {
    const { id } = member.peer;
    if (this.#members.get(id) === member) {
      this.#members.delete(id);
      this.#clients.delete(id);
    }
    if (member.token !== undefined) this.#resumable.delete(member.token);
    if (member.channel !== undefined) this.#incoming.remove(member.channel);
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined)
      throw new ConecError("peer-lost", `There is no Client ${quoted(id)} here`, { source: "channel" });
    return member;
  }

  #host(member?: Member): ChannelHost {
    return {
      pass: (via, passed, metadata, signal) => this.#switchboard.pass(via, passed, metadata, signal),
      connectionStats: async () =>
        member === undefined
          ? { transport: "local", relayed: false }
          : { ...(await member.connection.getStats()), transport: member.connection.transport, relayed: false },
    };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ConecError("closed", "The Coordinator was closed");
  }

  async #close(info: CloseInfo, signal?: AbortSignal): Promise<void> {
    this.#switchboard.close(info);
    await Promise.all([...this.#members.values()].map((member) => member.close(info, signal)));
    await Promise.all([...this.#listeners].map((listener) => listener.close(info)));
    this.#incoming.close();
    this.#settleClosed();
  }
}

/** A connection that has not been let in yet. */
interface Newcomer {
  readonly connection: Connection;
  /** When it came. */
  readonly sinceMs: number;
  startTurn: () => void;
  /** It was closed to make room for another. */
  isCrowdedOut: boolean;
}
