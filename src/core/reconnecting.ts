// SPDX-License-Identifier: Apache-2.0
import { ConecError, toConecError } from "./errors.ts";
import type { ConecErrorCode } from "./errors.ts";
import type { ReconnectDelay } from "./reconnect-delay.ts";

export interface ReconnectingOptions<T> {
  delay: ReconnectDelay;
  attempt: (signal: AbortSignal) => Promise<T>;
  /** An attempt failed, and is not the last one. */
  failed: (error: ConecError) => void;
  /** Ends it, if it fires from now on. */
  signal?: AbortSignal | undefined;
}

/** Tries again and again, with pauses, until it succeeds, is told no, or is stopped. */
export class Reconnecting<T> {
  /** Rejects with a ConecError. */
  readonly done: Promise<T>;
  readonly #options: ReconnectingOptions<T>;
  readonly #stopping = new AbortController();
  #endPause: (() => void) | undefined;

  constructor(options: ReconnectingOptions<T>) {
    const { signal } = options;
    this.#options = options;
    const stop = (): void =>
      this.stop(new ConecError("closed", "Connecting again was given up", { cause: signal!.reason }));
    // One that had its time while the connection was up was meant for what came before.
    if (signal?.aborted === false) signal.addEventListener("abort", stop, { once: true });
    this.done = this.#run().finally(() => signal?.removeEventListener("abort", stop));
  }

  /** Ends the pause, if there is one. */
  tryNow(): void {
    this.#endPause?.();
  }

  /** Gives up: `done` rejects with the error. */
  stop(error: ConecError): void {
    this.#stopping.abort(error);
    this.#endPause?.();
  }

  async #run(): Promise<T> {
    const { delay, attempt, failed } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await this.#pause(delay.nextMs(Math.random()));
      signal.throwIfAborted();
      try {
        return await attempt(signal);
      } catch (thrown) {
        signal.throwIfAborted();
        const error = toConecError(thrown, "internal");
        if (isFinal(error)) throw error;
        failed(error);
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#stopping.signal.aborted) this.#endPause();
    });
  }
}

/** Whether another attempt would fail for the same reason. Of several transports, one may have been kept from the server. */
function isFinal({ code, cause }: ConecError): boolean {
  return answers.includes(code) || (identities.includes(code) && !(cause instanceof AggregateError));
}

const answers: readonly ConecErrorCode[] = [
  "refused",
  "replaced",
  "version-mismatch",
  "protocol-error",
  "invalid-argument",
  "unsupported",
  "internal",
];
const identities: readonly ConecErrorCode[] = [
  "certificate-untrusted",
  "certificate-expired",
  "certificate-name-mismatch",
  "certificate-required",
  "alpn-mismatch",
];
