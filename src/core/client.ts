import { Channel, endOf } from "./channel.ts";
import type { ChannelHost } from "./channel.ts";
import { ChannelEnd } from "./channel-end.ts";
import type { ChannelOffer, ClientOptions, ClientStats } from "./client-options.ts";
import { authorityOf } from "./client-proof.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { CloseOptions } from "./close-info.ts";
import type { ControlMessageOf } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import { dial } from "./dial.ts";
import { ConecError, reasonText, toConecError } from "./errors.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import { join } from "./joining.ts";
import { generateKeyPair, publicKeyOf } from "./key-pair.ts";
import type { PublicKey } from "./key-pair.ts";
import { clientLimits } from "./limits.ts";
import type { ChannelLimits, ClientLimits } from "./limits.ts";
import { checkId } from "./metadata.ts";
import { errorOfClose } from "./farewell.ts";
import { StreamQuota } from "./stream-quota.ts";
import { Session, SessionPath } from "./session.ts";
import type { CloseInfo, Connection } from "./transport.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";
import { ignore } from "../streams/ignore.ts";

interface ClientMakings {
  welcome: ControlMessageOf<"welcome">;
  publicKey: PublicKey;
  limits: ClientLimits;
  accept: ClientOptions["accept"];
}

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
  /** The key that this Client has proven to the Coordinator to have. */
  readonly publicKey: PublicKey;
  /** The channel shared with the Coordinator. */
  readonly coordinator: Channel;
  /** Resolves when either side closed the connection, rejects with a ConecError when it broke. Never unhandled. */
  readonly closed: Promise<CloseInfo>;
  readonly #session: Session;
  readonly #limits: ClientLimits & ChannelLimits;
  readonly #quota: StreamQuota;
  readonly #accept: ClientOptions["accept"];
  readonly #incoming: IncomingQueue<Channel>;
  readonly #host: ChannelHost;
  /** Offers that are being decided. */
  #deciding = 0;

  /**
   * Connects to a Coordinator. Resolves when it has said welcome.
   *
   * @param url `https://host:port`
   * @throws ConecError as a transport's `connect`; `refused` with the Coordinator's reason; `version-mismatch`;
   * `timeout`; the signal's reason
   */
  static async connect(url: string | URL, options: ClientOptions): Promise<Client> {
    const limits = clientLimits(options.limits);
    const id = options.id === undefined ? undefined : checkId(options.id);
    const credentials = options.credentials === undefined ? undefined : checkCredentials(options.credentials);
    const keyPair = options.keyPair ?? (await generateKeyPair());
    const publicKey = await publicKeyOf(keyPair);
    const connection = await dial(url, options);
    let offers: ((control: ControlStream) => void) | undefined;
    const early: ControlStream[] = [];
    const session = new Session(connection, {
      onControlStream: (control) => (offers === undefined ? early.push(control) : offers(control)),
      headerTimeoutMs: limits.pairTimeoutMs,
      maxHeaders: maxHeaders,
      mayCarryData: () => true,
      mayBeLate: () => true,
    });
    const abort = (): void => connection.close({ closeCode: 0, reason: "The Client gave up" });
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      options.signal?.throwIfAborted();
      const control = await session.openControlStream();
      // Now: the Coordinator's streams may come before its welcome, which is on another stream.
      const path = session.addPath(0, control);
      const { server } = connection;
      const { welcomeTimeoutMs: timeoutMs } = limits;
      const who = { keyPair, publicKey, id, credentials };
      const joined = join(control, { ...who, authority: authorityOf(url), server, timeoutMs });
      const welcome = await Promise.race([joined, closedEarly(connection)]);
      const client = new Client(path, { welcome, publicKey, limits, accept: options.accept });
      offers = (offer) => void client.#offered(offer);
      for (const offer of early) offers(offer);
      return client;
    } catch (error) {
      connection.close({ closeCode: 0, reason: "The Client gave up" });
      options.signal?.throwIfAborted();
      throw await session.explain(toConecError(error, "internal"));
    } finally {
      options.signal?.removeEventListener("abort", abort);
    }
  }

  private constructor(path: SessionPath, { welcome, publicKey, limits, accept }: ClientMakings) {
    const { session } = path;
    const { connection } = session;
    const { id, coordinator, streamLimit, clientStreamLimit = Infinity } = welcome;
    this.id = id;
    this.publicKey = publicKey;
    this.#session = session;
    this.#limits = { ...limits, streamsPerChannel: streamLimit };
    this.#quota = new StreamQuota(clientStreamLimit);
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
      path,
      end: 0,
      peer: coordinator,
      metadata: {},
      maxStreams: [streamLimit, streamLimit],
      limits: this.#limits,
      quota: this.#quota,
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
      quota: this.#quota,
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

/** Rejects when the connection ends before the welcome. */
async function closedEarly(connection: Connection): Promise<never> {
  const info = await connection.closed;
  throw (
    errorOfClose(info) ??
    new ConecError("closed", info.reason || "The Coordinator closed the connection", { remote: true })
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
