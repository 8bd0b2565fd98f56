import { ConecError } from "conec";

/** Promises that have to settle: those that take too long are reported. */
export class Pending {
  /** @type {Set<{ what: () => string, sinceMs: number }>} */
  #waiting = new Set();
  #timer;

  /** @param {number} limitMs @param {(finding: string) => void} report */
  constructor(limitMs, report) {
    this.#timer = setInterval(() => {
      for (const entry of this.#waiting) {
        const { what, sinceMs } = entry;
        if (performance.now() - sinceMs < limitMs) continue;
        this.#waiting.delete(entry);
        report(`${what()} has not settled in ${Math.round(limitMs / 1000)} s`);
      }
    }, limitMs / 20);
    this.#timer.unref();
  }

  /**
   * @template T
   * @param {() => string} what
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  async watch(what, promise) {
    const entry = { what, sinceMs: performance.now() };
    this.#waiting.add(entry);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(entry);
    }
  }

  stop() {
    clearInterval(this.#timer);
  }
}

/** The code of a ConecError, the name of another one. @param {unknown} error */
export function codeOf(error) {
  if (error instanceof ConecError) return error.code;
  return error instanceof Error ? error.name : String(error);
}
