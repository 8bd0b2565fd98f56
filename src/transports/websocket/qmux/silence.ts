// SPDX-License-Identifier: Apache-2.0
/**
 * Notices that nothing is heard any more. It counts ticks and looks at no clock, so that a program that was busy, a tab
 * in the background or a machine that slept do not take that for the other end's silence.
 */
export class Silence {
  readonly tickMs: number;
  readonly #ticksToLose: number;
  #silentTicks = 0;

  constructor({ idleTimeoutMs, keepAliveIntervalMs }: { idleTimeoutMs: number; keepAliveIntervalMs: number }) {
    const askAfterMs = Math.min(keepAliveIntervalMs, idleTimeoutMs / 2);
    this.tickMs = Math.max(1, Math.floor(askAfterMs / ticksToAsk));
    this.#ticksToLose = Math.max(2 * ticksToAsk, Math.ceil(idleTimeoutMs / this.tickMs));
  }

  /** A tick has passed, with or without a word. What to do: ask for a sign of life, or give the other end up. */
  tick(heard: boolean): "ask" | "lost" | undefined {
    this.#silentTicks = heard ? 0 : this.#silentTicks + 1;
    if (this.#silentTicks >= this.#ticksToLose) return "lost";
    return this.#silentTicks > 0 && this.#silentTicks % ticksToAsk === 0 ? "ask" : undefined;
  }
}

const ticksToAsk = 2;
