// SPDX-License-Identifier: Apache-2.0
import { ConecError, quoted } from "./errors.ts";
import { Retention } from "../streams/sent-messages.ts";

/** What one end of a channel allows. Times in milliseconds, sizes in bytes. */
export interface ChannelLimits {
  /** Data streams that the far end may have open, or finished but unread, at once. Default 256. */
  streamsPerChannel: number;
  /** Longest message, sent or received. Default 16 MiB. */
  maxMessageBytes: number;
  /**
   * How long things that belong together may be apart: the opening of a stream and its bytes, the end of a stream and
   * the reason for it. Default 10 s.
   */
  pairTimeoutMs: number;
  /** How long `close` waits for streams that are ending, and for the far end's answer. Default 10 s. */
  drainTimeoutMs: number;
}

/** How many streams a Client has is the Coordinator's to say. */
export interface ClientLimits extends Omit<ChannelLimits, "streamsPerChannel"> {
  /** Channels passed to this Client that the program has not taken; more are refused. Default 32. */
  unreadChannels: number;
  /** How long the Coordinator may take to say welcome. Default 10 s. */
  welcomeTimeoutMs: number;
  /**
   * Bytes that are received and not read, unfinished messages among them, of all channels of this Client. Above 90 % of it, the
   * channel with the most ends with `limit-exceeded`. Default 256 MiB.
   */
  unreadBytes: number;
  /**
   * How long channels wait for their connection to come back; then they end with `connection-lost`. The Coordinator may wait
   * for less. 0: not at all. Default 30 s.
   */
  resumeWindowMs: number;
  /**
   * How much of what was sent is kept until the far end confirms it, so that it can be sent again on another connection, in
   * bytes: of one stream, which waits when it has so much under way, and of all of this Client. Default 32 MiB and 64 MiB. The
   * far end confirms each MiB, and otherwise after 250 ms: with less than that, a stream is slow. When all have so much, they go
   * on as usual; but one of which something is not kept ends with `connection-lost` should the connection be lost just then.
   */
  keptPerStream: number;
  keptInAll: number;
}

/** What a Coordinator allows its Clients and those who want to be. Times in milliseconds, sizes in bytes. */
export interface CoordinatorLimits extends ChannelLimits {
  /** Clients connected at once; more are refused. Default 1024. */
  maxClients: number;
  /** Connections that have not been let in yet. Beyond it, the newest of the source with the most is closed. Default 256. */
  maxPending: number;
  /**
   * Of these, how many of one source (IPv4 /24, IPv6 /64) are heard at once. The others wait in line and nothing is read of
   * them, so that a crowd of one source costs no more than this many. Default 16.
   */
  pendingPerSource: number;
  /** How long a Client may wait for its turn, take to prove its key, and `authenticate` take to decide. Default 5 s each. */
  authenticateTimeoutMs: number;
  /** Passed channels that one Client may have at once; more are not offered. Default 32. */
  channelsPerClient: number;
  /** Channels that Clients handed to the Coordinator and that the program has not taken; more are refused. Default 256. */
  passedChannels: number;
  /** How long a Client may take to accept a channel. Default 10 s. */
  acceptTimeoutMs: number;
  /**
   * How often a Client may ask in a second that a channel be passed on, and how often at once after a pause. More is refused,
   * and its channels go on: each costs a decision of `authorize` and an offer to somebody else. Default 20 and 50.
   */
  requestsPerSecond: number;
  requestBurst: number;
  /** Such requests of one Client that are being decided; more are refused. Default 8. */
  requestsAtOnce: number;
  /**
   * Control messages that a Client may send in a second, and at once after a pause, on all its channels, those left out that
   * belong to streams or end a channel. An honest one sends next to none. Beyond it, it is disconnected. Default 100 and 200.
   */
  controlMessagesPerSecond: number;
  controlMessageBurst: number;
  /**
   * A Client that opens more data streams than this in a second, and aborts over half of them as soon, is disconnected: that
   * would cost it nothing, and its readers a stream each. Streams that end in order are never too many. Default 500.
   */
  abortedStreamsPerSecond: number;
  /**
   * A Client is disconnected when, of its last so many channels, all within a minute, it closed over half unused and within a
   * second after it had taken them: each costs the Coordinator two offers. Default 500.
   */
  churnedChannels: number;
  /**
   * Data streams that one Client may have open on all its channels; its `createUnidirectionalStream` waits for one to end.
   * One that does not count is disconnected at twice as many. Default 1024.
   */
  streamsPerClient: number;
  /**
   * Bytes that are kept for one Client: received for this Coordinator's own program and not read, on their way to others,
   * waiting to be sent to it. With more, it is disconnected. What its transport keeps has limits of its own. Default 64 MiB.
   */
  memoryPerClient: number;
  /**
   * The same for all Clients. Above 80 %, nobody new is let in; above 90 %, the Client with the most is disconnected.
   * Default 1 GiB.
   */
  memoryInAll: number;
  /**
   * How long a Client whose connection was lost is waited for: its id, its channels and their streams are kept, and go on when
   * it has come back. 0: not at all. Default 30 s.
   */
  resumeWindowMs: number;
  /**
   * Of what this Coordinator's own program sends on its channels, how much is kept until it is confirmed, so that it can be sent
   * again when a Client comes back, in bytes: of one stream, and in all. Default 32 MiB and 64 MiB. See {@link ClientLimits}.
   */
  keptPerStream: number;
  keptInAll: number;
}

const channelDefaults: ChannelLimits = {
  streamsPerChannel: 256,
  maxMessageBytes: 16 * 1024 * 1024,
  pairTimeoutMs: 10_000,
  drainTimeoutMs: 10_000,
};

const resumeDefaults = {
  resumeWindowMs: 30_000,
  keptPerStream: 32 * 1024 * 1024,
  keptInAll: 64 * 1024 * 1024,
};

/** Limits that may be 0. */
const optional: ReadonlySet<string> = new Set(["resumeWindowMs", "keptInAll"]);

/** The limits of a Client, with defaults. @throws ConecError `invalid-argument` */
export function clientLimits(limits: Partial<ClientLimits> = {}): ClientLimits {
  const { streamsPerChannel: _, ...defaults } = channelDefaults;
  return withDefaults(limits, {
    ...defaults,
    ...resumeDefaults,
    unreadChannels: 32,
    unreadBytes: 256 * 1024 * 1024,
    welcomeTimeoutMs: 10_000,
  });
}

/** What may be kept under these limits; undefined if nothing is ever resumed. */
export function retentionOf(limits: { resumeWindowMs: number; keptPerStream: number; keptInAll: number }) {
  const { resumeWindowMs, keptPerStream, keptInAll } = limits;
  return resumeWindowMs === 0 ? undefined : new Retention(keptPerStream, keptInAll);
}

/** The limits of a Coordinator, with defaults. @throws ConecError `invalid-argument` */
export function coordinatorLimits(limits: Partial<CoordinatorLimits> = {}): CoordinatorLimits {
  return withDefaults(limits, {
    ...channelDefaults,
    maxClients: 1024,
    maxPending: 256,
    pendingPerSource: 16,
    authenticateTimeoutMs: 5_000,
    channelsPerClient: 32,
    passedChannels: 256,
    acceptTimeoutMs: 10_000,
    requestsPerSecond: 20,
    requestBurst: 50,
    requestsAtOnce: 8,
    controlMessagesPerSecond: 100,
    controlMessageBurst: 200,
    abortedStreamsPerSecond: 500,
    churnedChannels: 500,
    streamsPerClient: 1024,
    memoryPerClient: 64 * 1024 * 1024,
    memoryInAll: 1024 * 1024 * 1024,
    ...resumeDefaults,
  });
}

function withDefaults<T extends object>(given: Partial<T>, defaults: T): T {
  const limits = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaults, key)) throw new ConecError("invalid-argument", `There is no limit "${key}"`);
    const least = optional.has(key) ? 0 : 1;
    if (typeof value !== "number" || !(value >= least) || value > 2 ** 31 - 1 || !Number.isInteger(value)) {
      throw new ConecError(
        "invalid-argument",
        `The limit "${key}" must be an integer from ${least} to 2^31 - 1, not ${quoted(value)}`,
      );
    }
    (limits as Record<string, unknown>)[key] = value;
  }
  return limits;
}
