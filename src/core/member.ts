// SPDX-License-Identifier: Apache-2.0
/** Longer than most: joining, what it does and the coming back of one Client are one state. */
import { toBase64Url } from "./base64url.ts";
import type { Channel } from "./channel.ts";
import type { EndedChannel } from "./channel-churn.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelEndOptions } from "./channel-end.ts";
import { Conduct } from "./conduct.ts";
import type { Overstepped } from "./conduct.ts";
import type { ControlMessage, ControlMessageOf, Peer } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import type { CoordinatorEvent } from "./coordinator-events.ts";
import type { AuthenticateRequest, ClientDetails } from "./coordinator-options.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import type { CoordinatorLimits } from "./limits.ts";
import type { MemoryAccount, MemoryBudget } from "./memory-budget.ts";
import { closeInfoOf, closeSoon } from "./farewell.ts";
import { inTime } from "./in-time.ts";
import { hearOut } from "./joining.ts";
import type { LinkHolder } from "./link-side.ts";
import { Offers } from "./offers.ts";
import type { ChannelOffer, OfferedTo } from "./offers.ts";
import { Session } from "./session.ts";
import type { SessionPath } from "./session-path.ts";
import type { CloseInfo, Connection } from "./transport.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";

export interface AdmitOptions {
  limits: CoordinatorLimits;
  /** What the Coordinator is called, if its application says so. */
  authorities: readonly string[] | undefined;
  /** A limit was reached, of this name. */
  limited: (limit: string) => void;
  tell: (event: CoordinatorEvent) => void;
  /** Who may be resumed by this token. */
  resumable: (token: string) => Member | undefined;
  memory: MemoryBudget;
}

/**
 * A Client as its Coordinator sees it: its connection, the channel shared with it, the channels offered to it. When the
 * connection is lost, it is away for a while: its channels wait for it to resume them.
 */
export class Member implements LinkHolder, OfferedTo {
  /** Resolves when the Client is gone, for whatever reason. */
  readonly gone: Promise<void>;
  /** By what the Client may go on after a lost connection; undefined if it may not. */
  readonly token: string | undefined;
  /** The channel shared with the Client, once it was welcomed. */
  channel: Channel | undefined;
  peer!: Peer;
  readonly limits: CoordinatorLimits;
  /** A limit was reached, of this name. */
  readonly limited: (limit: string) => void;
  readonly #tell: (event: CoordinatorEvent) => void;
  #session: Session;
  readonly #control: ControlStream;
  readonly #conduct: Conduct;
  readonly #account: MemoryAccount;
  readonly #offers = new Offers(this);
  #coordinator: Peer | undefined;
  #end: ChannelEnd | undefined;
  /** It has gone too far: nothing that it says counts any more. */
  #isCutOff = false;
  /** While the Client is away: until it is back, or not waited for any more. */
  #away: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #settleGone!: () => void;

  /**
   * Waits for the Client's hello. If it asks to go on with what it had, it does; else `join` decides, which either calls
   * {@link welcome} or throws: then the Client is told why, and the caller closes the connection.
   *
   * @throws what `join` threw, or what went wrong before
   */
  static async admit(
    connection: Connection,
    { limits, authorities, limited, tell, resumable, memory }: AdmitOptions,
    join: (member: Member, request: AuthenticateRequest) => Promise<void>,
  ): Promise<void> {
    let hello: ((control: ControlStream) => void) | undefined;
    const first = new Promise<ControlStream>((resolve) => (hello = resolve));
    const session: Session = new Session(connection, {
      onControlStream: (control) => {
        if (hello === undefined) session.fail(new ConecError("protocol-error", "A Client opens one control stream"));
        hello?.(control);
        hello = undefined;
      },
      headerTimeoutMs: limits.pairTimeoutMs,
      maxHeaders: limits.streamsPerChannel * 4,
      mayCarryData: () => member !== undefined && member.#end !== undefined,
      mayBeLate: (channel) => member !== undefined && member.#offers.hasOffered(channel),
      heard: (channel, message) => member === undefined || member.#hears(channel, message),
      limited,
      onHeld: (bytes) => member?.held(bytes),
    }).open();
    let member: Member | undefined;
    let control: ControlStream | undefined;
    try {
      const { authenticateTimeoutMs: timeoutMs } = limits;
      const { remote, server, transport } = connection;
      const heard = first.then((opened) => hearOut((control = opened), { server, authorities, timeoutMs, limited }));
      const said = await inTime(heard, connection, timeoutMs, "The Client proved no key");
      const { id, credentials, publicKey, resume } = said;
      const former = resume && resumable(resume.session);
      if (former !== undefined && former.peer.publicKey === publicKey && former.#mayResume) {
        member = former;
        return former.#resume(session, control!, resume!.received);
      }
      member = new Member(session, control!, { limits, limited, tell, memory });
      const asked = { requestedId: id, credentials, publicKey, remote, transport };
      await inTime(join(member, asked), connection, timeoutMs, "There was no decision");
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void control?.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      control?.end();
      throw error;
    }
  }

  private constructor(
    session: Session,
    control: ControlStream,
    { limits, limited, tell, memory }: Pick<AdmitOptions, "limits" | "limited" | "tell" | "memory">,
  ) {
    this.gone = new Promise((resolve) => (this.#settleGone = resolve));
    this.token = limits.resumeWindowMs === 0 ? undefined : toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
    this.#session = session;
    this.#control = control;
    this.limits = limits;
    this.limited = limited;
    this.#tell = tell;
    this.#conduct = new Conduct(limits, performance.now());
    this.#account = memory.open(() => this.#cutOff("memoryPerClient", "Too much is kept for the Client"));
    void this.gone.then(() => {
      this.#account.close();
      this.#offers.end();
    });
    this.#watch(session);
  }

  /** What goes over {@link connection}. */
  get session(): Session {
    return this.#session;
  }

  /** The connection to the Client, or the last one. */
  get connection(): Connection {
    return this.#session.connection;
  }

  /** Whether its connection was lost, and it is waited for. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** While it is away: resolves when it is back, or given up. */
  get away(): Promise<void> | undefined {
    return this.#away?.over;
  }

  /** Whether its channels may outlive its connection. */
  get isResumable(): boolean {
    return this.token !== undefined;
  }

  async details(): Promise<ClientDetails> {
    const { peer, isAway, connection } = this;
    const { transport, remote } = connection;
    return { peer, isAway, transport, remote, connection: await connection.getStats() };
  }

  /** Lets the Client in. Returns this end of the channel shared with it. */
  welcome(
    peer: Peer,
    coordinator: Peer,
    { retention, slowReaders }: Pick<ChannelEndOptions, "retention" | "slowReaders">,
  ): ChannelEnd {
    this.peer = peer;
    this.#coordinator = coordinator;
    const { limits } = this;
    this.#sendWelcome(this.#control);
    const { streamsPerChannel } = limits;
    const end = new ChannelEnd({
      path: this.#session.addPath(0, this.#control, { resumable: this.isResumable }),
      end: 1,
      peer,
      metadata: {},
      maxStreams: [streamsPerChannel, streamsPerChannel],
      limits,
      relayed: false,
      leads: true,
      retention,
      account: this.#account,
      slowReaders,
    });
    const leave = (info: CloseInfo): void => {
      if (this.#away !== undefined) this.#giveUp(new ConecError("closed", info.reason));
      else void closeSoon(this.connection, info);
    };
    end.closed.then(leave, (error: ConecError) => leave(closeInfoOf(error)));
    this.#end = end;
    return end;
  }

  /** Offers a channel end to the Client: {@link Offers.make}. */
  async offer(offer: ChannelOffer, isWanted: () => boolean): Promise<SessionPath> {
    return await this.#offers.make(offer, isWanted);
  }

  // What it does on its channels.

  beginRequest(): () => void {
    const overstepped = this.#conduct.beginRequest(performance.now());
    if (overstepped === undefined) return () => this.#conduct.endRequest();
    this.limited(overstepped);
    throw new ConecError("limit-exceeded", complaints[overstepped], { source: "channel" });
  }

  streamOpened(): void {
    this.#judge(this.#conduct.streamOpened());
  }

  streamsOver(count: number): void {
    this.#conduct.streamsOver(count);
  }

  channelEnded(channel: EndedChannel): void {
    this.#judge(this.#conduct.channelEnded(channel, performance.now()));
  }

  held(bytes: number): void {
    this.#account.change(bytes);
  }

  #hears(channel: number, message: ControlMessage): boolean {
    if (!this.#isCutOff) this.#judge(this.#conduct.message(channel, message, performance.now()));
    return !this.#isCutOff;
  }

  #judge(overstepped: Overstepped | undefined): void {
    if (overstepped !== undefined) this.#cutOff(overstepped, complaints[overstepped]);
  }

  #cutOff(limit: string, complaint: string): void {
    if (this.#isCutOff) return;
    this.#isCutOff = true;
    this.limited(limit);
    this.fail(new ConecError("limit-exceeded", complaint, { remote: true }));
  }

  /** Ends the Client's connection, telling it why. */
  fail(error: ConecError): void {
    this.#end?.fail(error);
  }

  /** Closes the channel shared with the Client, then its connection. */
  async close(info: CloseInfo, signal?: AbortSignal): Promise<void> {
    if (this.#away !== undefined) return this.#giveUp(new ConecError("closed", info.reason));
    if (this.#end?.usable) await this.#end.close(info, signal).catch(ignore);
    if (this.#end === undefined || signal?.aborted) this.connection.close(info);
    await closeSoon(this.connection, info);
  }

  // Lost connections.

  get #mayResume(): boolean {
    return this.isResumable && this.#end?.usable === true && !this.#isCutOff;
  }

  #watch(session: Session): void {
    session.connection.closed.then(
      () => session === this.#session && this.#settleGone(),
      (error: ConecError) => session === this.#session && this.#lost(error),
    );
  }

  #lost(error: ConecError): void {
    if (!this.#mayResume || error.code !== "connection-lost") return this.#giveUp(error);
    const stop = unrefTimeout(this.limits.resumeWindowMs, () => this.#giveUp(error));
    let settle!: () => void;
    const over = new Promise<void>((resolve) => (settle = resolve));
    const end = (): void => {
      stop();
      this.#away = undefined;
      settle();
    };
    this.#away = { over, end };
    this.#tell({ type: "away", client: this.peer, error });
    for (const path of this.#session.paths.values()) path.suspend();
  }

  /** Whether the Client is still here, though the connection of this session is not: it is waited for, or back. */
  async outlives(session: Session): Promise<boolean> {
    await session.connection.closed.catch(ignore);
    return this.#mayResume && (session !== this.#session || this.#away !== undefined);
  }

  #giveUp(error: ConecError): void {
    this.#away?.end();
    for (const path of this.#session.paths.values()) path.lose(error);
    this.#settleGone();
  }

  /** Goes on over another connection, on whose control stream the Client has asked for it. */
  #resume(session: Session, control: ControlStream, received: number): void {
    const former = this.#session;
    const paths = [...former.paths.values()];
    const [own, ...others] = paths as [SessionPath, ...SessionPath[]];
    own.acknowledge(received);
    this.#away?.end();
    this.#session = session;
    for (const path of paths) {
      path.suspend(); // it may not have been noticed that the connection is lost
      session.adoptPath(path);
    }
    former.connection.close({ closeCode: 0, reason: "The Client has another connection" });
    this.#sendWelcome(control, { received: own.received, channels: others.map(({ channel }) => channel) });
    own.resume(control);
    for (const path of others) void this.#rejoin(session, path);
    this.#watch(session);
    this.#tell({ type: "back", client: this.peer });
  }

  async #rejoin(session: Session, path: SessionPath): Promise<void> {
    const { channel } = path;
    try {
      const control = await session.openControlStream();
      void control.send({ type: "rejoin", channel, received: path.received });
      const answer = await control.expect(["rejoined", "refuse"], this.limits.acceptTimeoutMs);
      if (session !== this.#session) return;
      if (answer.type === "refuse") {
        return this.#lose(path, new ConecError(answer.code, answer.reason, { source: "channel", remote: true }));
      }
      path.acknowledge(answer.received);
      path.resume(control);
      this.#offers.settle(path, true);
    } catch (thrown) {
      const error = toConecError(thrown, "internal");
      if (error.source !== "connection" || error.code === "timeout") this.#lose(path, error);
    }
  }

  #lose(path: SessionPath, error: ConecError): void {
    path.lose(error);
    this.#offers.settle(path, false);
  }

  #sendWelcome(control: ControlStream, resumed?: ControlMessageOf<"welcome">["resumed"]): void {
    const { streamsPerChannel: streamLimit, streamsPerClient: clientStreamLimit, resumeWindowMs } = this.limits;
    void control.send({
      type: "welcome",
      id: this.peer.id,
      metadata: this.peer.metadata,
      coordinator: this.#coordinator!,
      streamLimit,
      clientStreamLimit,
      ...(this.token !== undefined && { session: { token: this.token, windowMs: resumeWindowMs } }),
      ...(resumed !== undefined && { resumed }),
    });
  }
}

/** What a Client is told that oversteps a limit. */
const complaints: { [limit in Overstepped]: string } = {
  requestsPerSecond: "The Client asks for too much in a second",
  requestsAtOnce: "The Client asks for too much at once",
  controlMessagesPerSecond: "The Client sends too many control messages",
  abortedStreamsPerSecond: "The Client aborts too many of the streams that it opens",
  churnedChannels: "The Client takes too many channels only to close them",
  streamsPerClient: "The Client has too many open streams",
};
