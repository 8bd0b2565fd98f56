// SPDX-License-Identifier: Apache-2.0
/** Decides how often things of one kind are logged: a token bucket for each kind. Plain code; it gets the time. */
export class LogThrottle {
  readonly #kinds = new Map<string, { tokens: number; atMs: number; suppressed: number }>();

  /** How many of this kind were suppressed before this one; undefined: this one is, too. */
  admit(kind: string, nowMs: number): number | undefined {
    let state = this.#kinds.get(kind);
    if (state === undefined) this.#kinds.set(kind, (state = { tokens: burst, atMs: nowMs, suppressed: 0 }));
    state.tokens = Math.min(burst, state.tokens + ((nowMs - state.atMs) * perSecond) / 1000);
    state.atMs = nowMs;
    if (state.tokens < 1) {
      state.suppressed += 1;
      return undefined;
    }
    state.tokens -= 1;
    const { suppressed } = state;
    state.suppressed = 0;
    return suppressed;
  }
}

const perSecond = 20;
const burst = 100;
