// SPDX-License-Identifier: Apache-2.0
export interface ReceiveBudgetLimits {
  /** What may wait in all streams together. */
  unreadBytes: number;
}

/** What the engine says of a connection since it began. */
export interface EngineCounts {
  /** What came in and was the other end's, in bytes and packets: neither made up nor played back by others. */
  bytesReceived: number;
  packetsReceived: number;
  packetsSent: number;
}

/** Header and tag of a packet with a server's connection id (RFC 9000, section 17.3.1; RFC 9001, section 5.3). */
const packetOverheadBytes = 40;
/** What an acknowledgement takes for each packet that is acknowledged, also when many are lost. */
const acknowledgementBytes = 32;
/** Half of the stream data in the smallest full packet: what is lost is sent, and may be acknowledged, more than once. */
const leastDataBytes = 500;
/** As many as may be sent between two calls of {@link ReceiveBudget.settle}, and what the engine holds beside. */
const mostToAcknowledge = 8192;
/** The header of a STREAM frame, which may be all there is beside a short message: of a stream's first, and of others. */
const streamOverheadBytes = 32;
const frameOverheadBytes = 16;
/** So much of it for each byte that was delivered, since packets without any need none. */
const frameOverheadShare = 8;

/** Handshake, control frames. Who has delivered nothing gets less: anybody can connect. */
const leastFreeBytes = 64 * 1024;
const mostFreeBytes = 256 * 1024;
/** See {@link ReceiveBudget.dropped}. */
const freeDroppedBytes = 4 * 1024 * 1024;
/** What is sent again because it was lost or came late, and the headers of frames. */
const freeShare = 0.2;

/**
 * Counts what a peer makes the engine keep. The engine bounds stream data, but not what other frames make it store
 * (sparse CRYPTO frames, CVE-2024-1765; path challenges; streams that are only named): up to 200 bytes for each byte
 * received. So bytes that came in and were neither handed to a reader nor may wait in a stream are held
 * against the peer. Knows no clock.
 */
export class ReceiveBudget {
  readonly #limits: ReceiveBudgetLimits;
  #unaccounted = 0;
  #delivered = 0;
  #bytes = 0;
  #datagrams = 0;
  #rejected = 0;
  #packetsSent = 0;
  /** Packets that the peer has reason to acknowledge, at most. */
  #toAcknowledge = 0;
  #dropped = 0;
  #late = 0;

  constructor(limits: ReceiveBudgetLimits) {
    this.#limits = limits;
  }

  /** A datagram came in. It is held against the peer, whoever sent it, until {@link settle} says otherwise. */
  received(bytes: number): void {
    this.#bytes += bytes;
    this.#datagrams += 1;
    this.#unaccounted = Math.max(0, this.#unaccounted + bytes - packetOverheadBytes);
  }

  /** Bytes were handed to a reader. */
  delivered(bytes: number): void {
    this.#unaccounted -= bytes;
    this.#delivered += bytes;
  }

  /** Bytes came in that are no stream's, and were thrown away. */
  thrownAway(bytes: number): void {
    this.#excuse(bytes);
  }

  /**
   * Bytes are thrown away by the engine, at most so many, because a stream was given up by either end; some of them may still
   * be on their way, if it was `cancelled` here. How many is not known, so this excuses only as much as was delivered in other
   * streams, and a little more.
   */
  dropped(mostBytes: number, cancelled = false): void {
    const before = this.#unaccounted;
    const left = freeDroppedBytes + Math.max(0, this.#delivered) - this.#dropped - this.#late;
    const most = Math.max(0, Math.min(mostBytes, left));
    this.#excuse(most);
    const excused = before - this.#unaccounted;
    this.#dropped += excused;
    if (cancelled) this.#late += most - excused;
  }

  /** The engine was given bytes to send. Packets without any, such as acknowledgements, are not acknowledged. */
  given(bytes: number): void {
    this.#toAcknowledge = Math.min(mostToAcknowledge, this.#toAcknowledge + 1 + bytes / leastDataBytes);
  }

  /** The peer has opened a stream. */
  opened(): void {
    this.#excuse(streamOverheadBytes);
  }

  /**
   * Takes out what the engine has not kept: what was not the peer's, and acknowledgements. What is not used is lost, so
   * this wants to be called every few thousand packets sent, as well as when the budget seems to be exceeded.
   */
  settle({ bytesReceived, packetsReceived, packetsSent }: EngineCounts): void {
    const datagramsRejected = Math.max(0, this.#datagrams - packetsReceived);
    const rejected = this.#bytes - bytesReceived - packetOverheadBytes * datagramsRejected;
    this.#excuse(Math.max(0, rejected - this.#rejected));
    this.#rejected = Math.max(this.#rejected, rejected);
    const acknowledged = Math.min(packetsSent - this.#packetsSent, this.#toAcknowledge);
    this.#toAcknowledge -= acknowledged;
    this.#excuse(acknowledgementBytes * acknowledged);
    this.#packetsSent = packetsSent;
  }

  /** `countWaiting` says how many bytes may wait in streams. It is asked only when that matters. */
  isExceeded(countWaiting: () => number): boolean {
    const delivered = Math.max(0, this.#delivered);
    const frames = Math.min(frameOverheadBytes * this.#datagrams, frameOverheadShare * delivered);
    const free = Math.min(mostFreeBytes, leastFreeBytes + delivered) + freeShare * delivered + frames + this.#late;
    if (this.#unaccounted <= free) return false;
    return this.#unaccounted > free + Math.min(countWaiting(), this.#limits.unreadBytes);
  }

  #excuse(bytes: number): void {
    this.#unaccounted = Math.max(0, this.#unaccounted - Math.max(0, bytes));
  }
}
