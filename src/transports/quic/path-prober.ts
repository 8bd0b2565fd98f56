// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";

import { PathMtu } from "./path-mtu.ts";
import { decodePathProbe, encodePathProbe } from "./path-probe.ts";
import { TokenBucket } from "../../core/token-bucket.ts";

export interface PathProberOptions {
  /** Datagram sizes to try, above 1200. */
  candidates: readonly number[];
  /** Length of this end's own connection id. */
  ownIdBytes: number;
  /** The connection id of the other end, once the handshake is complete. */
  peersId: () => Uint8Array;
  rttMs: () => number;
  send: (datagram: Buffer) => void;
}

/** Probes answered at once, and a second. */
const echoes = 32;

/** Does for one connection what its {@link PathMtu} decides, and answers the other end's probes. */
export class PathProber {
  readonly #options: PathProberOptions;
  readonly #mtu: PathMtu;
  #fixedBytes: number | undefined;
  readonly #echoes = new TokenBucket({ perSecond: echoes, burst: echoes, nowMs: performance.now() });

  constructor(options: PathProberOptions) {
    this.#options = options;
    this.#mtu = new PathMtu({
      candidates: options.candidates,
      createNonce: () => randomBytes(8).toString("latin1"),
    });
  }

  /** The largest datagram that may be sent now. */
  get datagramBytes(): number {
    return this.#fixedBytes ?? this.#mtu.datagramBytes;
  }

  /** Sends datagrams of this size from now on, and looks for no other. */
  fix(bytes: number): void {
    this.#fixedBytes = bytes;
  }

  /** The path is another one now. */
  restart(): void {
    this.#mtu.restart();
  }

  /** When {@link poll} wants to be called next. */
  get deadlineMs(): number {
    return this.#fixedBytes === undefined ? (this.#mtu.deadlineMs ?? Infinity) : Infinity;
  }

  onFullDatagram(nowMs: number): void {
    this.#mtu.onFullDatagram(nowMs);
  }

  onLossTimeout(nowMs: number): void {
    this.#mtu.onLossTimeout(nowMs);
  }

  /** Sends the probes that are due. */
  poll(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    for (const { bytes, nonce } of this.#mtu.poll(nowMs, this.#options.rttMs())) {
      this.#send({ kind: "probe", bytes, nonce });
    }
  }

  /** Takes a probe or an echo of the other end. */
  receive(datagram: Buffer, nowMs: number): void {
    const packet = decodePathProbe(datagram, this.#options.ownIdBytes);
    if (packet?.kind === "echo") this.#mtu.onEcho(packet.nonce, nowMs);
    else if (packet?.kind === "probe" && this.#echoes.take(nowMs)) this.#send({ ...packet, kind: "echo" });
  }

  #send(packet: Parameters<typeof encodePathProbe>[0]): void {
    this.#options.send(encodePathProbe(packet, this.#options.peersId()));
  }
}
