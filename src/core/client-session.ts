// SPDX-License-Identifier: Apache-2.0
/**
 * What a Client has with its Coordinator from one welcome on: the channel between them and the channels passed to it. It
 * may outlive a connection, and go on over another one.
 */
import { Channel, endOf } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelEndOptions } from "./channel-end.ts";
import type { Joined } from "./client-joining.ts";
import type { ChannelOffer, ClientOptions } from "./client-options.ts";
import type { ControlMessageOf, IdentifyMessage } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import type { IncomingQueue } from "./incoming-queue.ts";
import type { ChannelLimits, ClientLimits } from "./limits.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { Session } from "./session.ts";
import { SessionPath } from "./session-path.ts";
import type { SlowReaders } from "./slow-readers.ts";
import { StreamQuota } from "./stream-quota.ts";
import type { CloseInfo, Connection } from "./transport.ts";
import type { Metadata } from "../streams/message-writable.ts";
import type { Retention } from "../streams/sent-messages.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";

export interface ClientSessionOptions {
  limits: ClientLimits;
  accept: ClientOptions["accept"];
  /** What is kept of what was sent; undefined if this Client resumes nothing. */
  retention: Retention | undefined;
  slowReaders: SlowReaders | undefined;
  /** What is received and not read counts there. */
  memory: MemoryBudget;
  /** Where channels go that were accepted. */
  incoming: IncomingQueue<Channel>;
}

export class ClientSession {
  readonly welcome: ControlMessageOf<"welcome">;
  readonly coordinator: Channel;
  /** Passed channels that are open here. */
  readonly channels = new Set<Channel>();
  readonly #options: ClientSessionOptions;
  readonly #limits: ClientLimits & ChannelLimits;
  readonly #quota: StreamQuota;
  readonly #retention: Retention | undefined;
  readonly #own: SessionPath;
  readonly #host: ChannelHost;
  /** The session that carries the channels, or carried them last. */
  #session: Session;
  #isCarried = false;
  /** Offers that are being decided. */
  #deciding = 0;

  constructor({ session, control, welcome }: Joined, options: ClientSessionOptions) {
    const { coordinator: peer, streamLimit, clientStreamLimit = Infinity } = welcome;
    this.welcome = welcome;
    this.#options = options;
    this.#session = session;
    this.#limits = { ...options.limits, streamsPerChannel: streamLimit };
    this.#quota = new StreamQuota(clientStreamLimit);
    this.#retention = welcome.session === undefined ? undefined : options.retention;
    this.#own = session.addPath(0, control, { resumable: welcome.session !== undefined });
    this.#host = {
      pass: (via, passed, metadata, signal) => this.#pass(via, passed, metadata, signal),
      connectionStats: async () => {
        const { connection } = this;
        return { ...(await connection.getStats()), transport: connection.transport, relayed: false };
      },
    };
    const end = this.#createEnd({
      path: this.#own,
      end: 0,
      peer,
      metadata: {},
      maxStreams: [streamLimit, streamLimit],
      relayed: false,
    });
    this.coordinator = new Channel(end, this.#host);
  }

  /** The connection in use, or the last one. */
  get connection(): Connection {
    return this.#session.connection;
  }

  /** How many channels are open, the one with the Coordinator included. */
  get channelCount(): number {
    return this.#session.openPathCount;
  }

  /** Settles as the channel with the Coordinator does. */
  get closed(): Promise<CloseInfo> {
    return this.coordinator.closed;
  }

  /** Begins to take what the Coordinator opens. */
  open(): void {
    this.#isCarried = true;
    this.#session.open();
  }

  // A connection that is lost.

  /** The connection was lost. Channels wait for the next one. False if they do not: then {@link lose} is to be called. */
  suspend(): boolean {
    this.#isCarried = false;
    if (this.#retention === undefined || !endOf(this.coordinator).usable) return false;
    for (const path of this.#session.paths.values()) path.suspend();
    return true;
  }

  /** How long the channels wait, in milliseconds. */
  get windowMs(): number {
    return Math.min(this.#options.limits.resumeWindowMs, this.welcome.session?.windowMs ?? 0);
  }

  /** What the Coordinator is asked for; undefined if nothing waits any more. */
  get request(): IdentifyMessage["resume"] {
    if (!endOf(this.coordinator).usable || !endOf(this.coordinator).suspended) return undefined;
    return { session: this.welcome.session!.token, received: this.#own.received };
  }

  /** The Coordinator has agreed to go on. */
  resume({ session, control, welcome }: Joined): void {
    const { received, channels } = welcome.resumed!;
    this.#own.acknowledge(received);
    const former = this.#session;
    this.#session = session;
    const lost = new ConecError("connection-lost", "The channel was lost with its connection", { source: "channel" });
    for (const path of former.paths.values()) {
      if (path === this.#own || channels.includes(path.channel)) session.adoptPath(path);
      else path.lose(lost);
    }
    this.#own.resume(control);
    unrefTimeout(this.#limits.pairTimeoutMs, () => {
      if (!this.#isCarriedBy(session)) return;
      for (const path of session.paths.values()) if (path.isSuspended) path.lose(lost);
    });
  }

  /** The connection was lost for good, and all channels with it. */
  lose(error: ConecError): void {
    for (const path of this.#session.paths.values()) path.lose(error);
  }

  // What the Coordinator opens.

  /** A control stream came: a channel that is offered, or one that goes on. */
  async takeControlStream(control: ControlStream, session: Session): Promise<void> {
    try {
      const first = await control.expect(["channel", "rejoin"], this.#limits.pairTimeoutMs);
      if (!this.#isCarriedBy(session)) return;
      if (first.type === "channel") await this.#offered(control, session, first);
      else this.#rejoin(control, first);
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void control.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      control.end();
    }
  }

  #rejoin(control: ControlStream, { channel, received }: ControlMessageOf<"rejoin">): void {
    const path = this.#session.paths.get(channel);
    if (path === undefined) throw new ConecError("closed", "The channel was closed", { source: "channel" });
    try {
      path.acknowledge(received);
    } catch (thrown) {
      path.lose(toConecError(thrown, "protocol-error"));
      throw thrown;
    }
    void control.send({ type: "rejoined", received: path.received });
    path.resume(control);
  }

  #isCarriedBy(session: Session): boolean {
    return this.#isCarried && session === this.#session;
  }

  async #offered(control: ControlStream, session: Session, offer: ControlMessageOf<"channel">): Promise<void> {
    const { incoming } = this.#options;
    if (!incoming.open) throw new ConecError("refused", "Nobody takes channels here");
    if (incoming.unread + this.#deciding >= this.#limits.unreadChannels) {
      throw new ConecError("limit-exceeded", "Too many channels wait to be taken");
    }
    this.#deciding += 1;
    const accepted = await this.#decide({ peer: offer.peer, metadata: offer.metadata }).finally(
      () => (this.#deciding -= 1),
    );
    if (!accepted) throw new ConecError("refused", "The Client did not accept the channel");
    // Else the Coordinator has given it up.
    if (!this.#isCarriedBy(session)) return;
    const path = session.addPath(offer.channel, control, { resumable: this.welcome.session !== undefined });
    void control.send({ type: "accept" });
    this.#open(path, offer);
  }

  async #decide(offer: ChannelOffer): Promise<boolean> {
    return (await this.#options.accept?.(offer)) !== false;
  }

  #open(path: SessionPath, { end, peer, metadata, opened, maxStreams, epoch }: ControlMessageOf<"channel">): void {
    const channelEnd = this.#createEnd({
      path,
      end,
      peer,
      metadata,
      opened,
      maxStreams,
      epoch,
      relayed: true,
    });
    const channel = new Channel(channelEnd, {
      ...this.#host,
      connectionStats: async () => ({ ...(await this.#host.connectionStats()), relayed: true }),
    });
    const { incoming } = this.#options;
    this.channels.add(channel);
    channelEnd.closed.catch(ignore).finally(() => {
      this.channels.delete(channel);
      incoming.remove(channel);
    });
    incoming.push(channel);
  }

  #createEnd(
    options: Omit<ChannelEndOptions, "limits" | "quota" | "retention" | "account" | "slowReaders">,
  ): ChannelEnd {
    const account = this.#options.memory.open(() => {
      end.fail(new ConecError("limit-exceeded", "Too much waits to be read", { source: "channel" }));
    });
    const [limits, quota, retention] = [this.#limits, this.#quota, this.#retention];
    const { slowReaders } = this.#options;
    const end: ChannelEnd = new ChannelEnd({ ...options, limits, quota, retention, account, slowReaders });
    end.closed.catch(ignore).finally(() => account.close());
    return end;
  }

  async #pass(via: Channel, passed: Channel, metadata: Metadata, signal?: AbortSignal): Promise<void> {
    if (passed === this.coordinator)
      throw new ConecError("invalid-argument", "The channel with the Coordinator cannot be passed on", {
        source: "channel",
      });
    const viaPath = endOf(via).path;
    const end = endOf(passed);
    if (!(viaPath instanceof SessionPath && end.path instanceof SessionPath) || viaPath.session !== end.path.session) {
      throw new ConecError("invalid-argument", "Both channels must belong to the same Client", { source: "channel" });
    }
    await end.pass(viaPath.channel, metadata, signal);
  }
}
