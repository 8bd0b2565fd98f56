// SPDX-License-Identifier: Apache-2.0
import type { Socket } from "node:net";

import { unrefTimeout } from "../../../streams/timer.ts";
import { TokenBucket } from "../../../core/token-bucket.ts";

/** What a listener spends on connections that are not complete: TLS, the request and QMux's first frame are to come. */
export interface HandshakeLimits {
  /** Handshakes under way; what comes above is hung up on. */
  maxHalfOpen: number;
  /** New handshakes, in all; `handshakeBurst` of them at once. */
  handshakesPerSecond: number;
  handshakeBurst: number;
  /** How long one may take. */
  handshakeTimeoutMs: number;
}

export const defaultHandshakeLimits: HandshakeLimits = {
  maxHalfOpen: 512,
  handshakesPerSecond: 200,
  handshakeBurst: 1024,
  handshakeTimeoutMs: 10_000,
};

/** The handshakes under way on a listener, from the TCP connection or the request on until the connection is up. */
export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #all: TokenBucket;
  /** By {@link keyOf}: TLS has a socket of its own over the one of TCP. */
  readonly #pending = new Map<string, { socket: Socket; stopTimer: () => void; isWebSocket: boolean }>();
  #dropped = 0;

  constructor(limits: HandshakeLimits) {
    this.#limits = limits;
    const { handshakesPerSecond: perSecond, handshakeBurst: burst } = limits;
    this.#all = new TokenBucket({ perSecond, burst, nowMs: performance.now() });
  }

  get count(): number {
    return this.#pending.size;
  }

  /** How many were hung up on because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Lets a handshake begin, or hangs up. It ends with {@link end}, with its socket, or when its time is over. */
  begin(socket: Socket): boolean {
    const key = keyOf(socket);
    if (this.#pending.has(key)) return true;
    if (this.#pending.size >= this.#limits.maxHalfOpen || !this.#all.take(performance.now())) {
      this.#dropped += 1;
      socket.destroy();
    }
    if (socket.destroyed) return false;
    const stopTimer = unrefTimeout(this.#limits.handshakeTimeoutMs, () => socket.destroy());
    this.#pending.set(key, { socket, stopTimer, isWebSocket: false });
    socket.once("close", () => {
      if (this.#pending.get(key)?.socket === socket) this.#remove(key);
    });
    return true;
  }

  /** The request was answered: what is to come is the first frame. */
  advance(socket: Socket): void {
    const handshake = this.#pending.get(keyOf(socket));
    if (handshake !== undefined) handshake.isWebSocket = true;
  }

  /** The connection is up. */
  end(socket: Socket): void {
    this.#remove(keyOf(socket));
  }

  /** Hangs up on all that are no WebSockets yet. */
  stop(): void {
    for (const { socket, isWebSocket } of this.#pending.values()) if (!isWebSocket) socket.destroy();
  }

  #remove(key: string): void {
    this.#pending.get(key)?.stopTimer();
    this.#pending.delete(key);
  }
}

/** The other end's address and port: of one listener, no two open connections have the same. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
