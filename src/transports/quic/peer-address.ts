// SPDX-License-Identifier: Apache-2.0
import type { UdpAddress } from "./udp/udp-endpoint.ts";

/** For each byte from an address that is not known to be the peer's, this many may go there (RFC 9000, section 9.3.1). */
const amplificationFactor = 3;

/** How long an address is examined: two round trips do if nothing is lost. */
const leastExaminationMs = 1000;
const examinationRoundTrips = 8;

/** After an examination without success the next one waits, twice as long each time. Well below any idle timeout. */
const firstPauseMs = 50;
const maxPauseMs = 5000;

/** What an address that was left had still under way is in by then; who sends from there later still uses it. */
const stragglersMs = 1000;

interface Examination {
  readonly address: UdpAddress;
  /** The address is the one that the peer had before. */
  readonly isReturn: boolean;
  readonly deadlineMs: number;
  bytesLeft: number;
}

/**
 * Decides where the packets of one peer go when datagrams of its come from several addresses (RFC 9000, section 9): a
 * NAT has given it another port, it has changed networks, or somebody copies its datagrams and sends them first.
 *
 * A new address is examined before it is used: for a while all packets go there, at most three bytes for each that
 * came from there. Among them are secrets that the peer shows again if it gets them ({@link confirm}). As soon as the
 * address in use is heard from, the examination is over and everything stays as it was. So nobody can lead packets
 * away from an address that is alive, and of a dead one nothing is heard.
 *
 * If it was alive after all, and only silent for a moment, then it is heard from again after the move: in that case it is
 * examined in its turn, and the other address cannot end that.
 *
 * Knows no clock and sends nothing. Keeps three addresses, whatever comes in.
 */
export class PeerAddress {
  #current: UdpAddress;
  #previous: UdpAddress | undefined;
  #movedMs = -Infinity;
  #examination: Examination | undefined;
  #notBeforeMs = -Infinity;
  #pauseMs = firstPauseMs;

  constructor(address: UdpAddress) {
    this.#current = address;
  }

  /** The address that is known to be the peer's. */
  get current(): UdpAddress {
    return this.#current;
  }

  /** Where packets go now. */
  get target(): UdpAddress {
    return this.#examination?.address ?? this.#current;
  }

  /** How many bytes may be sent there before something comes in. */
  get bytesLeft(): number {
    return this.#examination?.bytesLeft ?? Infinity;
  }

  get isExamining(): boolean {
    return this.#examination !== undefined;
  }

  /** When {@link onTime} wants to be called. */
  get deadlineMs(): number {
    return this.#examination?.deadlineMs ?? Infinity;
  }

  /** Whether a datagram from there is what always happens, so that {@link heard} need not be told. */
  isUsual(host: string, port: number): boolean {
    return port === this.#current.port && host === this.#current.host && this.#examination === undefined;
  }

  /**
   * A datagram came in. `isNew`: it is one of the peer's that had not come in before. What is not may be a copy, or may have
   * been made up by anybody.
   *
   * Returns what that leads to: an examination begins, or it is over without success.
   */
  heard(
    from: UdpAddress,
    { bytes, isNew, nowMs, rttMs }: { bytes: number; isNew: boolean; nowMs: number; rttMs: number },
  ): "examine" | "refused" | undefined {
    const examination = this.#examination;
    if (examination !== undefined) {
      if (isSame(from, examination.address)) examination.bytesLeft += amplificationFactor * bytes;
      else if (!examination.isReturn && isSame(from, this.#current)) return this.#refuse(nowMs);
      return undefined;
    }
    if (isSame(from, this.#current) || nowMs < this.#notBeforeMs) return undefined;
    const isReturn = this.#previous !== undefined && isSame(from, this.#previous);
    if (isReturn ? nowMs - this.#movedMs < stragglersMs : !isNew) return undefined;
    this.#examination = {
      address: { host: from.host, port: from.port },
      isReturn,
      deadlineMs: nowMs + Math.max(leastExaminationMs, examinationRoundTrips * rttMs),
      bytesLeft: amplificationFactor * bytes,
    };
    return "examine";
  }

  /** So many bytes were sent to {@link target}. */
  sent(bytes: number): void {
    if (this.#examination !== undefined) this.#examination.bytesLeft -= bytes;
  }

  /** The peer has shown what only the examined address was told: it is there. */
  confirm(nowMs: number): void {
    const examination = this.#examination;
    if (examination === undefined) return;
    this.#examination = undefined;
    // An address that was left because the one before it was alive has no claim to be gone back to.
    this.#previous = examination.isReturn ? undefined : this.#current;
    this.#current = examination.address;
    this.#movedMs = nowMs;
    if (!examination.isReturn) this.#pauseMs = firstPauseMs;
  }

  /** Gives up an examination whose time is over. */
  onTime(nowMs: number): "refused" | undefined {
    return nowMs >= this.deadlineMs ? this.#refuse(nowMs) : undefined;
  }

  #refuse(nowMs: number): "refused" {
    if (this.#examination?.isReturn === true) this.#previous = undefined;
    this.#examination = undefined;
    this.#notBeforeMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, maxPauseMs);
    return "refused";
  }
}

function isSame(one: UdpAddress, other: UdpAddress): boolean {
  return one.port === other.port && one.host === other.host;
}
