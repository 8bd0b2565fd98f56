// SPDX-License-Identifier: Apache-2.0
import { unrefTimeout } from "../streams/timer.ts";

/** Something that moves, or waits. */
export interface Moving {
  /** Rises when something moves. */
  readonly moved: number;
  /** Whether something waits to be moved. */
  readonly isWaiting: boolean;
}

/** Finds what has stood still for too long. {@link sweep} is plain code; {@link start} has it called from time to time. */
export class StallWatch {
  readonly #timeoutMs: number;
  readonly #watched = new Map<Moving, Watched>();
  #stop: (() => void) | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @param onStall called each time that it has stood still for so long */
  watch(moving: Moving, onStall: (stalledMs: number) => void): void {
    const nowMs = performance.now();
    this.#watched.set(moving, { moved: moving.moved, sinceMs: nowMs, askedMs: nowMs, onStall });
    this.#start();
  }

  forget(moving: Moving): void {
    this.#watched.delete(moving);
  }

  sweep(nowMs: number): void {
    for (const [moving, entry] of this.#watched) {
      const { moved, isWaiting } = moving;
      if (!isWaiting || moved !== entry.moved) {
        entry.moved = moved;
        entry.sinceMs = entry.askedMs = nowMs;
      } else if (nowMs - entry.askedMs >= this.#timeoutMs) {
        entry.askedMs = nowMs;
        entry.onStall(nowMs - entry.sinceMs);
      }
    }
  }

  #start(): void {
    this.#stop ??= unrefTimeout(this.#timeoutMs / sweepsPerTimeout, () => {
      this.#stop = undefined;
      this.sweep(performance.now());
      if (this.#watched.size > 0) this.#start();
    });
  }
}

interface Watched {
  moved: number;
  /** When it last moved, and when {@link onStall} was last called. */
  sinceMs: number;
  askedMs: number;
  readonly onStall: (stalledMs: number) => void;
}

const sweepsPerTimeout = 4;
