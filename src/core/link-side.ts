// SPDX-License-Identifier: Apache-2.0
import type { EndedChannel } from "./channel-churn.ts";
import type { ChannelPath } from "./channel-path.ts";
import type { Peer } from "./control-messages.ts";
import type { MessageStreamInfo } from "../streams/message-writable.ts";

/** One of the two sides of a Link. */
export type Side = 0 | 1;

/** Who holds an end, and who is to know what it does with it: a Client. */
export interface LinkHolder {
  readonly peer: Peer;
  /** It asks for something that has to be decided. Returns what to call then. @throws ConecError `limit-exceeded` */
  beginRequest?(): () => void;
  /** It opened a data stream. */
  streamOpened?(): void;
  /** So many data streams that it had opened are over. */
  streamsOver?(count: number): void;
  channelEnded?(channel: EndedChannel): void;
  /** So many bytes more, or less, are kept of what it sent. */
  held?(bytes: number): void;
}

/** What a Link knows of a side. */
export interface LinkSide {
  /** Where this side's traffic goes; undefined until somebody holds this end. */
  path: ChannelPath | undefined;
  holder: LinkHolder | undefined;
  /** Its connection was lost, and may be resumed. */
  away: boolean;
  /** When it came to hold this end. */
  sinceMs: number;
  /** Streams opened from this side so far, and how many it may have opened. */
  opened: number;
  maxStreams: number;
  /** Of those opened, how many whoever holds the end across was told of. */
  announced: number;
  /** Bytes that came from this side and were handed on. */
  bytesForwarded: number;
  /** Of the streams opened from this side, those that are not over, with what they are called if that is of use. */
  readonly open: Map<number, MessageStreamInfo | undefined>;
}

export function createSide(maxStreams: number): LinkSide {
  return {
    path: undefined,
    holder: undefined,
    away: false,
    sinceMs: 0,
    opened: 0,
    maxStreams,
    announced: 0,
    bytesForwarded: 0,
    open: new Map(),
  };
}

/** What was opened from a side is no longer held against its holder. */
export function forgetStreams({ holder, open }: LinkSide): void {
  if (open.size > 0) holder?.streamsOver?.(open.size);
  open.clear();
}

/** The side across. */
export function otherSide(side: Side): Side {
  return side === 0 ? 1 : 0;
}
