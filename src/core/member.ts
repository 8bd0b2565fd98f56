import type { Channel } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import { protocolVersion } from "./control-messages.ts";
import type { ControlMessageOf, Peer } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import type { AuthenticateRequest } from "./coordinator-options.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { closeSoon } from "./farewell.ts";
import { Session } from "./session.ts";
import type { SessionPath } from "./session.ts";
import type { CloseInfo, Connection } from "./transport.ts";

/** A Client as its Coordinator sees it: its connection, the channel shared with it, the channels offered to it. */
export class Member {
  readonly connection: Connection;
  /** Resolves when the Client is gone, for whatever reason. */
  readonly gone: Promise<void>;
  /** The channel shared with the Client, once it was welcomed. */
  channel: Channel | undefined;
  peer!: Peer;
  readonly #limits: CoordinatorLimits;
  readonly #session: Session;
  readonly #control: ControlStream;
  #end: ChannelEnd | undefined;
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
    limits: CoordinatorLimits,
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
      mayBeLate: (channel) => member !== undefined && channel < member.#nextChannel,
    });
    let member: Member | undefined;
    let control: ControlStream | undefined;
    try {
      control = await inTime(first, connection, limits.authenticateTimeoutMs, "No hello came");
      const request = await control.expect(["hello"], limits.authenticateTimeoutMs);
      if (!request.versions.includes(protocolVersion)) {
        throw new ConecError(
          "version-mismatch",
          `This Coordinator speaks version ${protocolVersion}, not ${request.versions.join(", ")}`,
        );
      }
      member = new Member(session, control, limits);
      const { id, credentials } = request;
      const asked = {
        requestedId: id,
        credentials,
        publicKey: undefined,
        remote: connection.remote,
        transport: connection.transport,
      };
      await inTime(join(member, asked), connection, limits.authenticateTimeoutMs, "The decision took too long");
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void control?.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      control?.end();
      throw error;
    }
  }

  private constructor(session: Session, control: ControlStream, limits: CoordinatorLimits) {
    this.connection = session.connection;
    this.gone = session.connection.closed.then(ignore, ignore);
    this.#session = session;
    this.#control = control;
    this.#limits = limits;
  }

  /** Lets the Client in. Returns this end of the channel shared with it. */
  welcome(peer: Peer, coordinator: Peer): ChannelEnd {
    this.peer = peer;
    const limits = this.#limits;
    const streamLimit = limits.streamsPerChannel;
    void this.#control.send({ type: "welcome", version: protocolVersion, ...peer, coordinator, streamLimit });
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
      (info) => this.connection.close(info),
      (error: ConecError) => void closeSoon(this.connection, error),
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
      throw new ConecError("limit-exceeded", `"${this.peer.id}" has as many channels as it may have`, {
        source: "channel",
      });
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
      this.#session.removePath(path);
      throw new ConecError(answer.code, answer.reason, { source: "channel", remote: true });
    } catch (thrown) {
      const error = toConecError(thrown, "peer-lost", { source: "channel" });
      path?.fail(error);
      if (error.source !== "connection" || error.code === "timeout") throw error;
      throw new ConecError("peer-lost", `"${this.peer.id}" is gone: ${error.message}`, {
        source: "channel",
        cause: error,
      });
    }
  }

  /** Ends the Client's connection, telling it why. */
  fail(error: ConecError): void {
    this.#end?.fail(error);
  }

  /** Closes the channel shared with the Client, then its connection. */
  async close(info: CloseInfo, signal?: AbortSignal): Promise<void> {
    if (this.#end?.usable) await this.#end.close(info, signal).catch(ignore);
    this.connection.close(info);
  }
}

async function inTime<T>(pending: Promise<T>, connection: Connection, ms: number, message: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConecError("timeout", `${message} within ${ms} ms`)), ms);
  });
  const gone = connection.closed.then(() => {
    throw new ConecError("closed", "The Client went away", { remote: true });
  });
  pending.catch(ignore);
  gone.catch(ignore);
  try {
    return await Promise.race([pending, timeout, gone]);
  } finally {
    clearTimeout(timer);
  }
}

function ignore(): void {}
