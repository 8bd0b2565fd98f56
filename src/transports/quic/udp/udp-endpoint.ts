// SPDX-License-Identifier: Apache-2.0
import type { RemoteInfo } from "node:dgram";

/** Where a datagram goes, in the spelling of the socket's address family. */
export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a datagram came from. */
export type UdpSource = Readonly<Pick<RemoteInfo, "address" | "port">>;

/** What the endpoint calls in every turn of the event loop in which there is something to do. */
export interface TurnTaker {
  /** Datagrams have come in: read streams, go on with waiting writes. */
  process(): void;
  /** Build and transmit packets. False when the socket was full; it is then called again. */
  flush(): boolean;
}

export interface UdpEndpointOptions {
  family: 4 | 6;
  bind?: { host: string; port: number } | undefined;
  /** A connected socket only hears its peer, and learns when nobody listens there. */
  connect?: UdpAddress | undefined;
}

export interface UdpHandlers {
  /** The datagram is valid during the call only: its memory is used for the next one. */
  onDatagram: (datagram: Buffer, from: UdpSource) => void;
  /** The socket reports an error, such as ECONNREFUSED on a connected one. It goes on working. */
  onError?: (error: NodeJS.ErrnoException) => void;
}

/** A UDP socket, and the turns of those who send and receive over it (see {@link Turns}). */
export interface UdpEndpoint {
  /** Where it is bound to. */
  readonly address: UdpAddress;
  /**
   * The largest UDP payload that the way to `host` begins with takes in one piece, as far as the system knows: what is
   * behind the next router may take less. Undefined where it cannot be asked, and larger ones would be sent in fragments.
   */
  largestDatagram(host: string): number | undefined;
  /** Begins to take datagrams in. */
  receive(handlers: UdpHandlers): void;
  /** A buffer of `bytes` to build the next packet in; valid until {@link transmit}. */
  packetBuffer(bytes: number): Uint8Array;
  /**
   * Sends the first `length` bytes of the packet buffer, to `to` or, on a connected socket, its peer; at the latest with
   * {@link submit}. What cannot be sent is lost, as on any network. False when no more should be sent for now.
   */
  transmit(length: number, to?: UdpAddress): boolean;
  /** Sends what was transmitted. Nobody needs to call it from within {@link TurnTaker.flush}. */
  submit(): void;
  /** Sends something small that is not part of the stream of packets, at once. */
  sendCopy(bytes: Uint8Array, to?: UdpAddress): void;
  processLater(taker: TurnTaker): void;
  /** @param what acknowledgements and window updates leave behind the data of others */
  flushLater(taker: TurnTaker, what: "data" | "acknowledgements"): void;
  /** Lets the process end although the socket is still open. */
  unref(): void;
  /** Resolves when the port is free. */
  close(): Promise<void>;
}
