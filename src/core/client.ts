import { Channel, endOf } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelOffer, ClientOptions, ClientStats } from "./client-options.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { CloseOptions } from "./close-info.ts";
import { protocolVersion } from "./control-messages.ts";
import type { ControlMessageOf } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { clientLimits } from "./limits.ts";
import type { ChannelLimits, ClientLimits } from "./limits.ts";
import { checkId } from "./metadata.ts";
import { errorOfClose } from "./farewell.ts";
import { Session, SessionPath } from "./session.ts";
import type { CloseInfo, Connection, Transport } from "./transport.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/**
 * A party that is connected to a Coordinator, and through it to other Clients.
 *
 * @example
 * ```ts
 * const client = await Client.connect("https://coordinator.example:4433", { transport: quic(), id: "alice" });
 * for await (const channel of client.incomingChannels) console.log(channel.peer.id);
 * ```
 */
export class Client implements AsyncDisposable {
  /** The id under which the Coordinator knows this Client. */
  readonly id: string;
  /** The channel shared with the Coordinator. */
  readonly coordinator: Channel;
  /** Resolves when either side closed the connection, rejects with a ConecError when it broke. Never unhandled. */
  readonly closed: Promise<CloseInfo>;
  readonly #session: Session;
  readonly #limits: ClientLimits & ChannelLimits;
  readonly #accept: ClientOptions["accept"];
  readonly #incoming: IncomingQueue<Channel>;
  readonly #host: ChannelHost;
  /** Offers that are being decided. */
  #deciding = 0;

  /**
   * Connects to a Coordinator. Resolves when it has said welcome.
   *
   * @param url `https://host:port`
   * @throws ConecError as {@link Transport.connect}; `refused` with the Coordinator's reason; `version-mismatch`;
   * `timeout`; the signal's reason
   */
  static async connect(url: string | URL, options: ClientOptions): Promise<Client> {
    const limits = clientLimits(options.limits);
    const hello = {
      type: "hello" as const,
      versions: [protocolVersion],
      ...(options.id === undefined ? {} : { id: checkId(options.id) }),
      ...(options.credentials === undefined ? {} : { credentials: checkCredentials(options.credentials) }),
    };
    const connection = await dial(url, options);
    let offers: ((control: ControlStream) => void) | undefined;
    const early: ControlStream[] = [];
    const session = new Session(connection, {
      onControlStream: (control) => (offers === undefined ? early.push(control) : offers(control)),
      headerTimeoutMs: limits.pairTimeoutMs,
      maxHeaders: maxHeaders,
      mayBeLate: () => true,
    });
    const abort = (): void => connection.close({ closeCode: 0, reason: "The Client gave up" });
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      options.signal?.throwIfAborted();
      const control = await session.openControlStream();
      void control.send(hello);
      const answer = await Promise.race([
        control.expect(["welcome", "refuse"], limits.welcomeTimeoutMs),
        closedEarly(connection),
      ]);
      if (answer.type === "refuse") throw new ConecError(answer.code, answer.reason, { remote: true });
      if (answer.version !== protocolVersion)
        throw new ConecError("version-mismatch", `The Coordinator answered with version ${answer.version}`);
      const client = new Client(session, control, answer, limits, options.accept);
      offers = (offer) => void client.#offered(offer);
      for (const offer of early) offers(offer);
      return client;
    } catch (error) {
      connection.close({ closeCode: 0, reason: "The Client gave up" });
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
    }
  }

  private constructor(
    session: Session,
    control: ControlStream,
    { id, coordinator, streamLimit }: ControlMessageOf<"welcome">,
    limits: ClientLimits,
    accept: ClientOptions["accept"],
  ) {
    const { connection } = session;
    this.id = id;
    this.#session = session;
    this.#limits = { ...limits, streamsPerChannel: streamLimit };
    this.#accept = accept;
    this.#incoming = new IncomingQueue(
      undefined,
      (channel) => void channel.close({ reason: "Nobody takes channels here" }),
    );
    this.#host = {
      pass: (via, passed, metadata, signal) => this.#pass(via, passed, metadata, signal),
      connectionStats: async () => ({
        ...(await connection.getStats()),
        transport: connection.transport,
        relayed: false,
      }),
    };
    const end = new ChannelEnd({
      path: session.addPath(0, control),
      end: 0,
      peer: coordinator,
      metadata: {},
      maxStreams: [streamLimit, streamLimit],
      limits: this.#limits,
      relayed: false,
    });
    this.coordinator = new Channel(end, this.#host);
    this.closed = this.#ended(end);
    this.closed.catch(ignore);
    connection.closed.catch(ignore).finally(() => this.#incoming.close());
  }

  /** Channels passed to this Client, after `accept` has let them in. More than the limit unread, and new ones are refused. */
  get incomingChannels(): ReadableStream<Channel> {
    return this.#incoming.readable;
  }

  /**
   * Closes every channel and the connection. Streams that are closing get the time to be received.
   *
   * @throws ConecError `invalid-argument`; the signal's reason
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const info = checkCloseInfo(options);
    const closing = { ...info, signal: options.signal };
    const channels = [...this.#channels].filter((channel) => endOf(channel).usable);
    try {
      await Promise.all(channels.map((channel) => channel.close(closing)));
      await this.coordinator.close(closing);
    } finally {
      this.#session.connection.close(info);
      await this.closed.catch(ignore);
    }
  }

  async getStats(): Promise<ClientStats> {
    const { connection } = this.#session;
    return { ...(await connection.getStats()), transport: connection.transport, channels: this.#session.pathCount };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Passed channels that are open here. */
  readonly #channels = new Set<Channel>();

  /** The connection ends with the channel that is shared with the Coordinator, and for the same reason. */
  async #ended(end: ChannelEnd): Promise<CloseInfo> {
    const { connection } = this.#session;
    try {
      const info = await end.closed;
      connection.close(info);
      await connection.closed.catch(ignore);
      return info;
    } catch (thrown) {
      const error = thrown as ConecError;
      connection.close({ closeCode: 0, reason: error.message });
      await connection.closed.catch(ignore);
      throw error;
    }
  }

  async #offered(control: ControlStream): Promise<void> {
    try {
      const offer = await control.expect(["channel"], this.#limits.pairTimeoutMs);
      if (!this.#incoming.open) throw new ConecError("refused", "Nobody takes channels here");
      if (this.#incoming.unread + this.#deciding >= this.#limits.unreadChannels) {
        throw new ConecError("limit-exceeded", "Too many channels wait to be taken");
      }
      this.#deciding += 1;
      const accepted = await this.#decide({ peer: offer.peer, metadata: offer.metadata }).finally(
        () => (this.#deciding -= 1),
      );
      if (!accepted) throw new ConecError("refused", "The Client did not accept the channel");
      const path = this.#session.addPath(offer.channel, control);
      void control.send({ type: "accept" });
      this.#open(path, offer);
    } catch (thrown) {
      const error = toConecError(thrown, "refused");
      void control.send({ type: "refuse", code: error.code, reason: reasonText(error) });
      control.end();
    }
  }

  async #decide(offer: ChannelOffer): Promise<boolean> {
    return (await this.#accept?.(offer)) !== false;
  }

  #open(path: SessionPath, { end, peer, metadata, opened, maxStreams }: ControlMessageOf<"channel">): void {
    const channelEnd = new ChannelEnd({
      path,
      end,
      peer,
      metadata,
      opened,
      maxStreams,
      limits: this.#limits,
      relayed: true,
    });
    const channel = new Channel(channelEnd, {
      ...this.#host,
      connectionStats: async () => ({ ...(await this.#host.connectionStats()), relayed: true }),
    });
    this.#channels.add(channel);
    channelEnd.closed.catch(ignore).finally(() => {
      this.#channels.delete(channel);
      this.#incoming.remove(channel);
    });
    this.#incoming.push(channel);
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

async function dial(url: string | URL, { transport, signal }: ClientOptions): Promise<Connection> {
  const transports = Array.isArray(transport) ? (transport as readonly Transport[]) : [transport as Transport];
  if (transports.length === 0 || transports.some((each) => typeof each?.connect !== "function")) {
    throw new ConecError("invalid-argument", "A transport is needed, such as quic() of conec/quic");
  }
  const errors: unknown[] = [];
  for (const each of transports) {
    try {
      return await each.connect(url, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      errors.push(error);
    }
  }
  if (errors.length === 1) throw toConecError(errors[0], "unreachable");
  const last = toConecError(errors.at(-1), "unreachable");
  throw new ConecError(last.code, last.message, { cause: new AggregateError(errors, "No transport connected") });
}

/** Rejects when the connection ends before the welcome. */
async function closedEarly(connection: Connection): Promise<never> {
  const info = await connection.closed;
  throw (
    errorOfClose(info) ??
    new ConecError("closed", `The Coordinator closed the connection: ${info.reason}`, { remote: true })
  );
}

function checkCredentials(credentials: JsonValue): JsonValue {
  const json: unknown = JSON.stringify(credentials);
  if (typeof json !== "string") throw new ConecError("invalid-argument", "Credentials must be JSON");
  if (new TextEncoder().encode(json).length > maxCredentialsBytes)
    throw new ConecError("invalid-argument", `Credentials must be at most ${maxCredentialsBytes} bytes as JSON`);
  return JSON.parse(json) as JsonValue;
}

const maxCredentialsBytes = 16_384;
/** Streams of the Coordinator that may be about to say what they are. */
const maxHeaders = 4096;

function ignore(): void {}
