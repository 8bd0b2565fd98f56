// SPDX-License-Identifier: Apache-2.0
import type { Peer } from "./control-messages.ts";
import type { PublicKey } from "./key-pair.ts";
import type { CoordinatorLimits } from "./limits.ts";
import type { SlowReaderPolicy } from "./slow-readers.ts";
import type { CloseInfo, ConnectionStats, Remote } from "./transport.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** What a Client says of itself when it joins. */
export interface AuthenticateRequest {
  /** The id it asks for, if any. */
  requestedId: string | undefined;
  /** Whatever it was given as `credentials`. Unverified. */
  credentials: JsonValue | undefined;
  /** The key that it has proven to have: the same text for the same key, always. */
  publicKey: PublicKey;
  /** Where it connects from, as far as the transport can tell. */
  remote: Remote;
  transport: string;
}

/** Who a Client is. */
export interface Identity {
  /** Its id; the requested one, or a random one, if absent. */
  id?: string | undefined;
  /** Told to the parties that it gets channels with. */
  metadata?: Metadata | undefined;
}

/** Something that a Client wants to do. */
export interface AuthorizeRequest {
  /** The Client at `from` wants to hand its end of a channel to `to`. */
  action: "sendChannel";
  from: Peer;
  to: Peer;
  /** What it sends along. */
  metadata: Metadata;
}

/** What a {@link Coordinator} takes. Without any, everybody may join, and nobody may reach anybody unless its program introduces them. */
export interface CoordinatorOptions {
  /** Decides who may join, and as whom; throwing refuses with the thrown reason. Default: anyone, under the id they ask for. */
  authenticate?: (request: AuthenticateRequest) => Identity | Promise<Identity>;
  /** Decides what Clients may start by themselves; throwing refuses with the thrown reason. Default: nothing. */
  authorize?: (request: AuthorizeRequest) => boolean | Promise<boolean>;
  /**
   * When a Client joins with an id that is taken: `"same-key"` (default) lets it take the id over if it has proven the same
   * key and refuses it otherwise, `"newest"` always lets it, `"refuse"` never; or a function that decides. Whoever loses the
   * id is disconnected with `replaced`.
   */
  duplicateId?: "same-key" | "newest" | "refuse" | ((newcomer: Peer, holder: Peer) => boolean);
  /**
   * What this Coordinator is called: hosts, or hosts with ports, under which Clients dial it. Clients that dialled another
   * name are refused. Needed only where TLS ends elsewhere, such as at a proxy: by default a Client's proof of its key must
   * name this Coordinator's certificate.
   */
  authorities?: readonly string[];
  /**
   * What becomes of streams that nobody reads: those that this Coordinator forwards, and those of its own program. Default: they
   * wait, for as long as it takes; nobody else is held up by them.
   */
  slowReaders?: SlowReaderPolicy;
  /** How Clients see the Coordinator as a peer. Default id `"coordinator"`. */
  id?: string;
  limits?: Partial<CoordinatorLimits>;
}

/** What {@link Coordinator.introduce} takes. */
export interface IntroduceOptions {
  /** Told to both as `channel.metadata`. Default `{}`. */
  metadata?: Metadata;
  /** Ends the attempt. */
  signal?: AbortSignal;
}

/** A channel between two parties, as the Coordinator that forwards it sees it. */
export interface Introduction {
  readonly metadata: Metadata;
  /** Resolves when either party closed the channel; rejects with `peer-lost` or the like. Never an unhandled rejection. */
  readonly closed: Promise<CloseInfo>;
  /** Ends the channel for both. */
  close(info?: Partial<CloseInfo>): void;
}

/** Figures of a Coordinator. */
export interface CoordinatorStats {
  clients: number;
  /** Of these, how many have lost their connection and are waited for. */
  away: number;
  /** Connections that have not been authenticated yet. */
  pending: number;
  /** Bytes that are kept for Clients: see `memoryInAll` of {@link CoordinatorLimits}. */
  bytesHeld: number;
  /** Channels between two parties that are open. */
  links: number;
  /** Data streams on these that are open. */
  openStreams: number;
  /** Data streams forwarded so far, and their bytes, framing included. */
  streamsForwarded: number;
  bytesForwarded: number;
  /** Connections turned away so far before they were let in, by the code of the error. */
  refused: Readonly<Record<string, number>>;
  /**
   * How often a limit made the Coordinator refuse something, cut somebody off or (`pendingPerSource`) let somebody wait, by its
   * name in {@link CoordinatorLimits}. Limits that are no options have names of their own: `joiningBytes`, `waitingStreams`,
   * `streamsWithoutHeader`, `unreadControlMessages`. What a listener refused stands in its own figures.
   */
  limited: Readonly<Record<string, number>>;
}

/** Everything that is at a Coordinator now, one by one. */
export interface CoordinatorDetails {
  clients: ClientDetails[];
  /** Channels between two parties that are open, oldest first. */
  channels: ForwardedChannel[];
}

/** A Client, as its Coordinator sees it. */
export interface ClientDetails {
  peer: Peer;
  /** It has lost its connection and is waited for; the rest is about that connection. */
  isAway: boolean;
  transport: string;
  remote: Remote;
  /** Figures of its connection, which begin again when it comes back with another one. */
  connection: ConnectionStats;
}

/** A channel between two parties, as the Coordinator that forwards it sees it. */
export interface ForwardedChannel {
  /** Tells this Coordinator's channels apart: 1, 2, … */
  id: number;
  /** Who holds its two ends; undefined where nobody has accepted it yet. */
  between: readonly [Peer | undefined, Peer | undefined];
  metadata: Metadata;
  openStreams: number;
  /** Data streams forwarded so far. */
  streamsForwarded: number;
  /** Of these, the bytes that came from each of the two, framing included. */
  bytesForwarded: readonly [number, number];
}
