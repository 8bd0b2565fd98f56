import { ConecError } from "../../src/index.ts";

/** How one end of a stream or a channel came to its end, or the handing over of a channel. */
export interface Ending {
  side: "writer" | "reader" | "channel" | "handover";
  /** Of the stream, at both ends; of the handover, also for the channel that came of it. Empty for a Client's first channel. */
  key: string;
  /** The key of the channel that a stream belongs to. */
  channel: string;
  who: string;
  outcome: string;
  /** The error's message, if there was one. */
  message?: string;
}

export type News = { finding: string } | { ending: Ending };

/** What one process of the soak has seen. */
export class Witness {
  readonly counts: Record<string, number> = {};
  readonly #tell: (news: News) => void;
  readonly #waiting = new Set<{ what: () => string; sinceMs: number }>();
  readonly #timer: NodeJS.Timeout;
  #keys = 0;

  /** @param limitMs How long a promise may take. */
  constructor(tell: (news: News) => void, limitMs: number) {
    this.#tell = tell;
    this.#timer = setInterval(() => this.#look(limitMs), limitMs / 20).unref();
  }

  /** Something that must not be. */
  find(finding: string): void {
    this.#tell({ finding });
  }

  ended(ending: Ending): void {
    this.#tell({ ending });
  }

  count(what: string, amount = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + amount;
  }

  /** One that no other stream or channel of the soak has. */
  newKey(): string {
    this.#keys += 1;
    return `${process.pid}/${this.#keys}`;
  }

  /** The promise itself; that it does not settle is a finding. */
  async watch<T>(what: () => string, promise: Promise<T>): Promise<T> {
    const entry = { what, sinceMs: performance.now() };
    this.#waiting.add(entry);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(entry);
    }
  }

  /** The code of an error. Anything but a ConecError, or what a signal of the soak throws, is a finding. */
  codeOf(error: unknown): string {
    if (error instanceof ConecError) return error.code;
    if (error instanceof DOMException) return error.name;
    this.find(error instanceof Error ? String(error.stack) : String(error));
    return String(error);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(limitMs: number): void {
    for (const entry of this.#waiting) {
      if (performance.now() - entry.sinceMs < limitMs) continue;
      this.#waiting.delete(entry);
      this.find(`${entry.what()} has not settled in ${Math.round(limitMs / 1000)} s`);
    }
  }
}
