// SPDX-License-Identifier: Apache-2.0
import type { Engine } from "./binding.ts";
import { PeerAddress } from "./peer-address.ts";
import type { SourceIds } from "./source-ids.ts";
import type { UdpAddress } from "./udp/udp-endpoint.ts";

export interface RoamingOptions {
  engine: Engine;
  /** Where the connection was made from. */
  address: UdpAddress;
  ids: SourceIds;
  /** The peer has another address now. */
  onMoved: () => void;
  /** It has not, although datagrams of its came from another one. */
  onRefused: () => void;
}

/**
 * Follows a client to another address, as {@link PeerAddress} decides. The engine knows nothing of it: it is told the
 * same two addresses always (see binding.ts), and what {@link SourceIds} has it send is an ordinary change of ids.
 */
export class Roaming {
  readonly #engine: Engine;
  readonly #address: PeerAddress;
  readonly #ids: SourceIds;
  readonly #onMoved: () => void;
  readonly #onRefused: () => void;

  constructor({ engine, address, ids, onMoved, onRefused }: RoamingOptions) {
    this.#engine = engine;
    this.#address = new PeerAddress(address);
    this.#ids = ids;
    this.#onMoved = onMoved;
    this.#onRefused = onRefused;
  }

  /** The address that is known to be the peer's. */
  get current(): UdpAddress {
    return this.#address.current;
  }

  /** Where packets go now. */
  get target(): UdpAddress {
    return this.#address.target;
  }

  /** How many bytes may be sent there before something comes in; nearly always Infinity. */
  get bytesLeft(): number {
    return this.#address.bytesLeft;
  }

  get deadlineMs(): number {
    return Math.min(this.#address.deadlineMs, this.#ids.dueMs);
  }

  sent(bytes: number): void {
    this.#address.sent(bytes);
  }

  /** Whether {@link receive} need not be told of a datagram from there. */
  isUsual(host: string, port: number): boolean {
    return this.#address.isUsual(host, port);
  }

  /** `take` hands a datagram to the engine. Returns what it returns. */
  receive(datagram: Buffer, from: UdpAddress, nowMs: number, take: (datagram: Buffer) => boolean): boolean {
    const packetsBefore = this.#engine.stats().recv;
    const taken = take(datagram);
    // What was made up or has come in before is not counted.
    const isNew = this.#engine.stats().recv > packetsBefore;
    if (isNew && this.#address.isExamining && this.#ids.isAnswer(datagram)) {
      this.#address.confirm(nowMs);
      this.#ids.end();
      this.#onMoved();
    }
    const rttMs = this.#engine.pathStats()?.rtt ?? 0;
    const outcome = this.#address.heard(from, { bytes: datagram.length, isNew, nowMs, rttMs });
    if (outcome === "examine") this.#ids.challenge(nowMs, rttMs);
    else if (outcome === "refused") this.#refuse();
    return taken;
  }

  /** Datagrams have come in. */
  process(nowMs: number): void {
    this.#ids.process(nowMs);
  }

  onTime(nowMs: number): void {
    if (this.#address.onTime(nowMs) !== undefined) this.#refuse();
    this.#ids.process(nowMs);
  }

  #refuse(): void {
    this.#ids.end();
    this.#onRefused();
  }
}
