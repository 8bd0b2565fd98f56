// SPDX-License-Identifier: Apache-2.0
import type { Channel } from "./channel.ts";
import { endOf } from "./channel.ts";
import { joinCoordinator, prepareApplicant } from "./client-joining.ts";
import type { Applicant, Joined } from "./client-joining.ts";
import type { ClientOptions, ClientState, ClientStats } from "./client-options.ts";
import { ClientSession } from "./client-session.ts";
import type { ClientSessionOptions } from "./client-session.ts";
import { checkCloseInfo } from "./close-info.ts";
import type { CloseOptions } from "./close-info.ts";
import type { Peer } from "./control-messages.ts";
import { ConecError, toConecError } from "./errors.ts";
import { closeInfoOf } from "./farewell.ts";
import { IncomingQueue } from "./incoming-queue.ts";
import type { PublicKey } from "./key-pair.ts";
import { retentionOf } from "./limits.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { ReconnectDelay } from "./reconnect-delay.ts";
import { Reconnecting } from "./reconnecting.ts";
import { SlowReaders } from "./slow-readers.ts";
import type { CloseInfo } from "./transport.ts";
import { unrefTimeout } from "../streams/timer.ts";
import { ignore } from "../streams/ignore.ts";

/**
 * A party that is connected to a Coordinator, and through it to other Clients.
 *
 * When its connection is lost, it connects again by itself. If it is back in time (`limits.resumeWindowMs`), its channels and
 * their streams go on where they were. Else they end with `connection-lost`, and `coordinator` is another channel. Fires
 * `statechange` when {@link state} changes.
 *
 * @example
 * ```ts
 * const client = await Client.connect("https://coordinator.example:4433", { transport: quic(), id: "alice" });
 * client.addEventListener("statechange", () => console.log(client.state, client.error?.message));
 * for await (const channel of client.incomingChannels) console.log(channel.peer.id);
 * ```
 */
export class Client extends EventTarget implements AsyncDisposable {
  /** The key that this Client has proven to the Coordinator to have. */
  readonly publicKey: PublicKey;
  /**
   * Resolves when either side has closed the connection; rejects with a ConecError when it was lost and is not made again.
   * Never unhandled.
   */
  readonly closed: Promise<CloseInfo>;
  readonly #applicant: Applicant;
  readonly #sessionOptions: ClientSessionOptions;
  readonly #incoming: IncomingQueue<Channel>;
  #session!: ClientSession;
  #state: ClientState = "connecting";
  #error: ConecError | undefined;
  #reconnecting: Reconnecting<Joined> | undefined;
  /** What {@link close} was called with. */
  #closing: CloseInfo | undefined;
  #settleClosed!: { resolve: (info: CloseInfo) => void; reject: (error: ConecError) => void };

  /**
   * Connects to a Coordinator. Resolves when it has said welcome.
   *
   * @param url `https://host:port`
   * @throws ConecError as a transport's `connect`; `refused` with the Coordinator's reason; `version-mismatch`;
   * `timeout`; the signal's reason
   */
  static async connect(url: string | URL, options: ClientOptions): Promise<Client> {
    const applicant = await prepareApplicant(url, options);
    const client = new Client(applicant);
    client.#begin(await client.#join(applicant.options.signal));
    return client;
  }

  private constructor(applicant: Applicant) {
    super();
    const { limits, publicKey, options } = applicant;
    this.publicKey = publicKey;
    this.#applicant = applicant;
    this.#incoming = new IncomingQueue(
      undefined,
      (channel) => void channel.close({ reason: "Nobody takes channels here" }),
    );
    const retention = options.reconnect === false ? undefined : retentionOf(limits);
    const memory = new MemoryBudget(limits.unreadBytes, limits.unreadBytes);
    const self = (): Peer => ({ id: this.id, metadata: this.#session.welcome.metadata, publicKey });
    const slowReaders = SlowReaders.create(options.slowReaders, self);
    this.#sessionOptions = { limits, accept: options.accept, retention, memory, slowReaders, incoming: this.#incoming };
    this.closed = new Promise((resolve, reject) => (this.#settleClosed = { resolve, reject }));
    this.closed.catch(ignore);
  }

  /** The id under which the Coordinator knows this Client. */
  get id(): string {
    return this.#session.welcome.id;
  }

  /** The channel shared with the Coordinator. */
  get coordinator(): Channel {
    return this.#session.coordinator;
  }

  /** `"connecting"`, `"connected"`, `"reconnecting"` once the connection was lost, and `"closed"` for good. */
  get state(): ClientState {
    return this.#state;
  }

  /** Why the connection was lost, or the last attempt to make it again has failed; undefined while all is well. */
  get error(): ConecError | undefined {
    return this.#error;
  }

  /** Channels passed to this Client, after `accept` has let them in. More than the limit unread, and new ones are refused. */
  get incomingChannels(): ReadableStream<Channel> {
    return this.#incoming.readable;
  }

  /**
   * Gives up the connection and makes another one at once, as if it had been lost: for programs that know sooner than conec
   * that the network has changed. While that is under way already, ends the pause before the next attempt.
   *
   * @throws ConecError `closed`
   */
  reconnect(): void {
    if (this.#state === "closed") throw new ConecError("closed", "The Client was closed");
    this.#lost(new ConecError("connection-lost", "The connection was given up for another one"));
    this.#reconnecting?.tryNow();
  }

  /**
   * Closes every channel and the connection. Streams that are closing get the time to be received, unless the connection is
   * lost just now.
   *
   * @throws ConecError `invalid-argument`; the signal's reason
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const info = checkCloseInfo(options);
    const closing = { ...info, signal: options.signal };
    const session = this.#session;
    this.#closing ??= info;
    if (this.#state === "reconnecting") this.#end(info, undefined);
    if (this.#state === "closed") return;
    const channels = [...session.channels].filter((channel) => endOf(channel).closable);
    try {
      await Promise.all(channels.map((channel) => channel.close(closing)));
      await session.coordinator.close(closing);
    } finally {
      session.connection.close(info);
      await this.closed.catch(ignore);
    }
  }

  /** Figures of this Client and its connection, or of the last one while there is none. */
  async getStats(): Promise<ClientStats> {
    const { connection, channelCount } = this.#session;
    return { ...(await connection.getStats()), transport: connection.transport, channels: channelCount };
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #join(signal: AbortSignal | undefined): Promise<Joined> {
    return joinCoordinator(this.#applicant, {
      resume: this.#session?.request,
      onControlStream: (...stream) => void this.#session.takeControlStream(...stream),
      signal,
    });
  }

  /** With a channel to the Coordinator, and none to others. */
  #begin(joined: Joined): void {
    const session = new ClientSession(joined, this.#sessionOptions);
    this.#session = session;
    session.closed.then(
      (info) => this.#sessionEnded(session, info),
      (error: ConecError) => this.#sessionEnded(session, undefined, error),
    );
    this.#connected();
  }

  #connected(): void {
    const session = this.#session;
    const { connection } = session;
    connection.closed.catch((error: ConecError) => {
      if (connection === this.#session.connection) this.#lost(error);
    });
    this.#error = undefined;
    this.#setState("connected");
    session.open();
  }

  /** The connection ends with the channel that is shared with the Coordinator, and for the same reason. */
  async #sessionEnded(session: ClientSession, info?: CloseInfo, error?: ConecError): Promise<void> {
    if (session !== this.#session || this.#state === "reconnecting") return;
    const { connection } = session;
    connection.close(info ?? { closeCode: 0, reason: error!.message });
    // If it was lost, that comes first.
    await connection.closed.catch(ignore);
    if (this.#state === "connected") this.#end(info, error);
  }

  #lost(error: ConecError): void {
    if (this.#state !== "connected") return;
    if (this.#closing !== undefined) return this.#end(this.#closing, undefined);
    const { signal, reconnect = {} } = this.#applicant.options;
    const session = this.#session;
    if (reconnect === false || error.code !== "connection-lost") return this.#end(undefined, error);
    const isWaiting = session.suspend();
    const stopWaiting = isWaiting ? unrefTimeout(session.windowMs, () => session.lose(error)) : ignore;
    this.#error = error;
    this.#setState("reconnecting");
    if (!isWaiting) session.lose(error);
    this.#reconnecting = new Reconnecting({
      delay: new ReconnectDelay(reconnect === true ? {} : reconnect),
      attempt: (stop) => this.#join(stop),
      failed: (failure) => (this.#error = failure),
      signal,
    });
    this.#reconnecting.done.finally(stopWaiting).then(
      (joined) => this.#back(joined, error),
      (failure: ConecError) => this.#end(undefined, failure),
    );
  }

  /** There is a connection again. */
  #back(joined: Joined, lostBy: ConecError): void {
    const { connection } = joined.session;
    if (this.#state !== "reconnecting") return connection.close({ reason: "The Client was closed" });
    this.#reconnecting = undefined;
    // It may be up, if it was given up by choice. The Coordinator must not hear of its end before it has the other one.
    const former = this.#session.connection;
    try {
      if (joined.welcome.resumed === undefined) {
        this.#session.lose(lostBy);
        this.#begin(joined);
      } else {
        this.#session.resume(joined);
        this.#connected();
      }
    } catch (thrown) {
      const error = toConecError(thrown, "internal");
      connection.close(closeInfoOf(error));
      this.#end(undefined, error);
    }
    former.close({ reason: "The Client has another connection" });
  }

  /** The end of the Client. The first call counts. */
  #end(info: CloseInfo | undefined, error: ConecError | undefined): void {
    if (this.#state === "closed") return;
    this.#error = error;
    this.#setState("closed");
    const closed = new ConecError("closed", info?.reason || "The Client was closed");
    this.#reconnecting?.stop(closed);
    this.#session.lose(error ?? closed);
    this.#session.connection.close(info);
    this.#incoming.close();
    if (error === undefined) this.#settleClosed.resolve(info!);
    else this.#settleClosed.reject(error);
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.dispatchEvent(new Event("statechange"));
  }
}
