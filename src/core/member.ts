import type { Channel } from "./channel.ts";
import type { EndedChannel } from "./channel-churn.ts";
import { ChannelEnd } from "./channel-end.ts";
import { Conduct } from "./conduct.ts";
import type { Overstepped } from "./conduct.ts";
import type { ControlMessage, ControlMessageOf, Peer } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import type { AuthenticateRequest } from "./coordinator-options.ts";
import { ConecError, quoted, reasonText, toConecError } from "./errors.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { closeInfoOf, closeSoon } from "./farewell.ts";
import { inTime } from "./in-time.ts";
import { hearOut } from "./joining.ts";
import type { LinkHolder } from "./link-side.ts";
import { Session } from "./session.ts";
import type { SessionPath } from "./session.ts";
import type { CloseInfo, Connection } from "./transport.ts";
import { ignore } from "../streams/ignore.ts";

export interface AdmitOptions {
  limits: CoordinatorLimits;
  /** What the Coordinator is called, if its application says so. */
  authorities: readonly string[] | undefined;
  /** A limit was reached, of this name. */
  limited: (limit: string) => void;
}

/** A Client as its Coordinator sees it: its connection, the channel shared with it, the channels offered to it. */
export class Member implements LinkHolder {
  readonly connection: Connection;
  /** Resolves when the Client is gone, for whatever reason. */
  readonly gone: Promise<void>;
  /** The channel shared with the Client, once it was welcomed. */
  channel: Channel | undefined;
  peer!: Peer;
  readonly #limits: CoordinatorLimits;
  readonly #limited: (limit: string) => void;
  readonly #session: Session;
  readonly #control: ControlStream;
  readonly #conduct: Conduct;
  #end: ChannelEnd | undefined;
  /** It has gone too far: nothing that it says counts any more. */
  #isCutOff = false;
  /** The id of the next channel offered to this Client; 0 is the one shared with it. */
  #nextChannel = 1;

  /**
   * Waits for the Client's hello and has `join` decide, which either calls {@link welcome} or throws: then the Client
   * is told why, and the caller closes the connection.
   *
   * @throws what `join` threw, or what went wrong before
   */
  static async admit(
    connection: Connection,
    { limits, authorities, limited }: AdmitOptions,
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
      mayBeLate: (channel) => member !== undefined && channel < member.#nextChannel,
      heard: (channel, message) => member === undefined || member.#hears(channel, message),
      limited,
    });
    let member: Member | undefined;
    let control: ControlStream | undefined;
    try {
      const { authenticateTimeoutMs: timeoutMs } = limits;
      const { remote, server, transport } = connection;
      const heard = first.then((opened) => hearOut((control = opened), { server, authorities, timeoutMs, limited }));
      const { id, credentials, publicKey } = await inTime(heard, connection, timeoutMs, "The Client proved no key");
      member = new Member(session, control!, { limits, limited });
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
    { limits, limited }: Pick<AdmitOptions, "limits" | "limited">,
  ) {
    this.connection = session.connection;
    this.gone = session.connection.closed.then(ignore, ignore);
    this.#session = session;
    this.#control = control;
    this.#limits = limits;
    this.#limited = limited;
    this.#conduct = new Conduct(limits, performance.now());
  }

  /** Lets the Client in. Returns this end of the channel shared with it. */
  welcome(peer: Peer, coordinator: Peer): ChannelEnd {
    this.peer = peer;
    const limits = this.#limits;
    const { streamsPerChannel: streamLimit, streamsPerClient: clientStreamLimit } = limits;
    const { id, metadata } = peer;
    void this.#control.send({ type: "welcome", id, metadata, coordinator, streamLimit, clientStreamLimit });
    const end = new ChannelEnd({
      path: this.#session.addPath(0, this.#control),
      end: 1,
      peer,
      metadata: {},
      maxStreams: [streamLimit, streamLimit],
      limits,
      relayed: false,
    });
    end.closed.then(
      (info) => void closeSoon(this.connection, info),
      (error: ConecError) => void closeSoon(this.connection, closeInfoOf(error)),
    );
    this.#end = end;
    return end;
  }

  /**
   * Offers a channel end to the Client. Resolves with the way to it when it has accepted.
   *
   * @throws ConecError `refused` and the Client's other reasons, `timeout`, `limit-exceeded`, `peer-lost`
   */
  async offer(offer: Omit<ControlMessageOf<"channel">, "type" | "channel">): Promise<SessionPath> {
    if (this.#session.pathCount > this.#limits.channelsPerClient) {
      this.#limited("channelsPerClient");
      const message = `${quoted(this.peer.id)} has as many channels as it may have`;
      throw new ConecError("limit-exceeded", message, { source: "channel" });
    }
    const channel = this.#nextChannel;
    this.#nextChannel += 1;
    let path: SessionPath | undefined;
    try {
      const control = await this.#session.openControlStream();
      path = this.#session.addPath(channel, control);
      void control.send({ type: "channel", channel, ...offer });
      const answer = await control.expect(["accept", "refuse"], this.#limits.acceptTimeoutMs);
      if (answer.type === "accept") return path;
      path.end();
      throw new ConecError(answer.code, answer.reason, { source: "channel", remote: true });
    } catch (thrown) {
      const error = toConecError(thrown, "peer-lost", { source: "channel" });
      path?.giveUp(error);
      if (error.code === "timeout") this.#limited("acceptTimeoutMs");
      if (error.source !== "connection" || error.code === "timeout" || error.code === "protocol-error") throw error;
      const message = `${quoted(this.peer.id)} is gone: ${quoted(error.message)}`;
      throw new ConecError("peer-lost", message, { source: "channel", cause: error });
    }
  }

  // What it does on its channels.

  beginRequest(): () => void {
    const overstepped = this.#conduct.beginRequest(performance.now());
    if (overstepped === undefined) return () => this.#conduct.endRequest();
    this.#limited(overstepped);
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

  #hears(channel: number, message: ControlMessage): boolean {
    if (!this.#isCutOff) this.#judge(this.#conduct.message(channel, message, performance.now()));
    return !this.#isCutOff;
  }

  #judge(overstepped: Overstepped | undefined): void {
    if (overstepped === undefined || this.#isCutOff) return;
    this.#isCutOff = true;
    this.#limited(overstepped);
    this.fail(new ConecError("limit-exceeded", complaints[overstepped], { remote: true }));
  }

  /** Ends the Client's connection, telling it why. */
  fail(error: ConecError): void {
    this.#end?.fail(error);
  }

  /** Closes the channel shared with the Client, then its connection. */
  async close(info: CloseInfo, signal?: AbortSignal): Promise<void> {
    if (this.#end?.usable) await this.#end.close(info, signal).catch(ignore);
    if (this.#end === undefined || signal?.aborted) this.connection.close(info);
    await closeSoon(this.connection, info);
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
