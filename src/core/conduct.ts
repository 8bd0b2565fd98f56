// SPDX-License-Identifier: Apache-2.0
import { ChannelChurn } from "./channel-churn.ts";
import type { EndedChannel } from "./channel-churn.ts";
import type { ControlMessage } from "./control-messages.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { RapidAborts } from "./rapid-aborts.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The limits that a Client's conduct is held to. */
export type ConductLimits = Pick<
  CoordinatorLimits,
  | "requestsPerSecond"
  | "requestBurst"
  | "requestsAtOnce"
  | "controlMessagesPerSecond"
  | "controlMessageBurst"
  | "abortedStreamsPerSecond"
  | "churnedChannels"
  | "streamsPerClient"
>;

/** The name of a limit that was overstepped. */
export type Overstepped = Exclude<keyof ConductLimits, "requestBurst" | "controlMessageBurst">;

/**
 * What one Client does, over all its channels, against what it may. Each event returns the limit that it oversteps, if one:
 * for {@link beginRequest} the request is then refused, for all others the Client is cut off. Knows no clock.
 */
export class Conduct {
  readonly #limits: ConductLimits;
  readonly #requests: TokenBucket;
  readonly #messages: TokenBucket;
  readonly #aborts: RapidAborts;
  readonly #churn: ChannelChurn;
  #requestsOpen = 0;
  #streamsOpen = 0;

  constructor(limits: ConductLimits, nowMs: number) {
    this.#limits = limits;
    const { requestsPerSecond, requestBurst, controlMessagesPerSecond, controlMessageBurst } = limits;
    this.#requests = new TokenBucket({ perSecond: requestsPerSecond, burst: requestBurst, nowMs });
    this.#messages = new TokenBucket({ perSecond: controlMessagesPerSecond, burst: controlMessageBurst, nowMs });
    this.#aborts = new RapidAborts(limits.abortedStreamsPerSecond);
    this.#churn = new ChannelChurn(limits.churnedChannels);
  }

  /** A control message came. */
  message(channel: number, message: ControlMessage, nowMs: number): Overstepped | undefined {
    switch (message.type) {
      // As many as there are streams, and those are bounded by credit.
      case "finished":
      case "stop":
      case "maxStreams":
      case "received":
      case "resumeAt":
      case "close": // one for each channel, since nothing is read behind it
        return undefined;
      case "open":
        this.#aborts.opened(channel, message.stream, nowMs);
        return undefined;
      case "abort":
        return this.#aborts.aborted(channel, message.stream) ? "abortedStreamsPerSecond" : undefined;
      default:
        return this.#messages.take(nowMs) ? undefined : "controlMessagesPerSecond";
    }
  }

  /** The Client asks for something that has to be decided. Unless it is refused, {@link endRequest} follows. */
  beginRequest(nowMs: number): Overstepped | undefined {
    if (this.#requestsOpen >= this.#limits.requestsAtOnce) return "requestsAtOnce";
    if (!this.#requests.take(nowMs)) return "requestsPerSecond";
    this.#requestsOpen += 1;
    return undefined;
  }

  endRequest(): void {
    this.#requestsOpen -= 1;
  }

  /**
   * The Client opened a data stream on a passed channel. It counts by itself what it has open, and waits at the limit; that
   * some of them are over, it may know before the Coordinator does, hence twice the limit.
   */
  streamOpened(): Overstepped | undefined {
    this.#streamsOpen += 1;
    return this.#streamsOpen > 2 * this.#limits.streamsPerClient ? "streamsPerClient" : undefined;
  }

  /** Data streams that it had opened are over. */
  streamsOver(count: number): void {
    this.#streamsOpen -= count;
  }

  /** A passed channel of the Client ended. */
  channelEnded(channel: EndedChannel, nowMs: number): Overstepped | undefined {
    return this.#churn.ended(channel, nowMs) ? "churnedChannels" : undefined;
  }
}
