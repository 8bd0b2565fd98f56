// SPDX-License-Identifier: Apache-2.0
import type { Peer } from "./control-messages.ts";
import type { ClientLimits } from "./limits.ts";
import type { SlowReaderPolicy } from "./slow-readers.ts";
import type { ReconnectOptions } from "./reconnect-delay.ts";
import type { ConnectionStats, Transport } from "./transport.ts";
import type { JsonValue, Metadata } from "../streams/message-writable.ts";

/** A channel that somebody wants to pass to this Client. */
export interface ChannelOffer {
  /** Who is at its far end. */
  peer: Peer;
  /** What it was introduced or sent with. */
  metadata: Metadata;
}

/** What {@link Client.connect} takes. Without more than `transport`, a Client has a new key and a name that the Coordinator gives it. */
export interface ClientOptions {
  /**
   * How to reach the Coordinator. Of several, in the order of preference, each is tried when the one before has failed or
   * has had its head start, and the first that gets through is taken: `[webtransport(), websocket()]`. All make sure of the
   * server, each by its own options; one that does not accept its certificate does not keep the next from being tried.
   */
  transport: Transport | readonly Transport[];
  /** How long a transport has before the next of several is tried beside it, in milliseconds. Default 1000. */
  headStartMs?: number;
  /**
   * The key pair by which this Client is known: Ed25519, or ECDSA P-256. It proves it to the Coordinator, which tells it to
   * those who get channels with this Client. Default: a new one, which nobody knows. See `loadKeyPair` of the transports.
   */
  keyPair?: CryptoKeyPair;
  /** The id that this Client asks for. Without one, the Coordinator names it. */
  id?: string;
  /** Anything that the Coordinator's `authenticate` wants to see, as JSON of at most 16 KiB. */
  credentials?: JsonValue;
  /**
   * Asked before a channel is taken. Returning false or throwing refuses it, the thrown reason is told. Asked again if the
   * connection was lost before it had answered. Default: accept.
   */
  accept?: (offer: ChannelOffer) => boolean | void | Promise<boolean | void>;
  limits?: Partial<ClientLimits>;
  /** What becomes of streams that nobody reads, here or at the far end. Default: they wait, for as long as it takes. */
  slowReaders?: SlowReaderPolicy;
  /** Whether, and how often, the Client connects again when its connection was lost. `false`: it is closed then. */
  reconnect?: boolean | ReconnectOptions;
  /**
   * Ends the attempt to connect, the first one or a later one, that is under way when it fires. While the connection is up, it
   * does nothing: so a timeout for the first attempt leaves the later ones alone.
   */
  signal?: AbortSignal;
}

/** See {@link Client.state}. */
export type ClientState = "connecting" | "connected" | "reconnecting" | "closed";

/** Figures of a Client. */
export interface ClientStats extends ConnectionStats {
  /** Which transport carries it: `"quic"`, `"webtransport"`, … */
  transport: string;
  /** Open channels, the one with the Coordinator included. */
  channels: number;
}
