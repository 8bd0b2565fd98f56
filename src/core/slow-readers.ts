// SPDX-License-Identifier: Apache-2.0
/** What becomes of streams that stand still because nobody reads them. */
import type { Peer } from "./control-messages.ts";
import { ConecError } from "./errors.ts";
import { StallWatch } from "./stall-watch.ts";
import type { MessageStreamInfo, Metadata } from "../streams/message-writable.ts";

/** A policy for streams whose reader does not read. */
export interface SlowReaderPolicy {
  /** How long a stream may stand still, while something waits in it, before it is ended, in milliseconds. */
  timeoutMs: number;
  /** Asked then, and again after each further such time; false lets the stream wait. Default: it is ended. */
  end?: (stalled: StalledStream) => boolean;
}

/** A stream that stands still because nobody reads it. */
export interface StalledStream {
  /** `"incoming"`: this program does not read it. `"outgoing"`: the far end does not. `"forwarded"`: at a Coordinator, `to` does not. */
  direction: "incoming" | "outgoing" | "forwarded";
  from: Peer;
  to: Peer;
  name: string;
  metadata: Metadata;
  stalledMs: number;
}

/** What one end of a channel asks about its streams. */
export interface Stalls {
  readonly watch: StallWatch;
  isToEnd(direction: "incoming" | "outgoing", info: MessageStreamInfo, stalledMs: number): boolean;
}

/** The policy of a Client or a Coordinator at work. */
export class SlowReaders {
  readonly watch: StallWatch;
  readonly #policy: SlowReaderPolicy;
  readonly #self: () => Peer;

  /** @throws ConecError `invalid-argument` */
  static create(policy: SlowReaderPolicy | undefined, self: () => Peer): SlowReaders | undefined {
    return policy === undefined ? undefined : new SlowReaders(policy, self);
  }

  private constructor(policy: SlowReaderPolicy, self: () => Peer) {
    const { timeoutMs } = policy;
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs >= 2 ** 31) {
      throw new ConecError("invalid-argument", "`slowReaders.timeoutMs` must be an integer from 1 to 2^31 - 1");
    }
    this.watch = new StallWatch(timeoutMs);
    this.#policy = policy;
    this.#self = self;
  }

  isToEnd(stalled: StalledStream): boolean {
    return this.#policy.end?.(stalled) ?? true;
  }

  /** For the streams of a channel with this peer. */
  stalls(peer: () => Peer): Stalls {
    return {
      watch: this.watch,
      isToEnd: (direction, { name, metadata }, stalledMs) => {
        const [from, to] = direction === "outgoing" ? [this.#self(), peer()] : [peer(), this.#self()];
        return this.isToEnd({ direction, from, to, name, metadata, stalledMs });
      },
    };
  }
}

/** The error of a stream that is ended because it stood still. */
export function stalledError(stalledMs: number, remote: boolean): ConecError {
  const message = `Nobody has read the stream for ${(stalledMs / 1000).toFixed(1)} s`;
  return new ConecError("timeout", message, { source: "stream", remote });
}
