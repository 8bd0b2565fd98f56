// SPDX-License-Identifier: Apache-2.0
/** What becomes of a connection that has just come. */
export interface Placing<T> {
  /** `hear`: it is its turn at once. `wait`: it is told by {@link JoiningLine.leave}. `close`: there is no room for it. */
  place: "hear" | "wait" | "close";
  /** The one that is closed to make room for it. It has left already. */
  evicted?: T;
}

/**
 * Connections that have not been let in yet: who is heard now, who waits in line, and who makes room for whom. Of one source,
 * only a few are heard at once, in the order in which they came. When there are too many in all, the source that has the most
 * loses its newest, so that a crowd of one source is only in its own way. Knows no clock and closes nothing.
 */
export class JoiningLine<T> {
  readonly #most: number;
  readonly #heardPerSource: number;
  /** By source, oldest first; of each, the first `heard` are being heard. */
  readonly #sources = new Map<string, { items: T[]; heard: number }>();
  #size = 0;

  /** @param most connections in all; @param heardPerSource connections of one source that are heard at once */
  constructor(most: number, heardPerSource: number) {
    this.#most = most;
    this.#heardPerSource = heardPerSource;
  }

  /** How many are heard or wait. */
  get size(): number {
    return this.#size;
  }

  /** A connection comes. */
  enter(source: string, item: T): Placing<T> {
    let evicted: T | undefined;
    if (this.#size >= this.#most) {
      const largest = this.#largest();
      if (largest === undefined || this.#countOf(largest) <= this.#countOf(source) + 1) return { place: "close" };
      evicted = this.#sources.get(largest)!.items.at(-1)!;
      this.leave(largest, evicted);
    }
    let of = this.#sources.get(source);
    if (of === undefined) this.#sources.set(source, (of = { items: [], heard: 0 }));
    of.items.push(item);
    this.#size += 1;
    const place = of.heard < this.#heardPerSource ? "hear" : "wait";
    if (place === "hear") of.heard += 1;
    return evicted === undefined ? { place } : { place, evicted };
  }

  /** A connection was let in, or is gone. Returns the one whose turn it is now. Does nothing for one that has left. */
  leave(source: string, item: T): T | undefined {
    const of = this.#sources.get(source);
    const index = of?.items.indexOf(item) ?? -1;
    if (of === undefined || index < 0) return undefined;
    of.items.splice(index, 1);
    this.#size -= 1;
    if (of.items.length === 0) this.#sources.delete(source);
    if (index >= of.heard) return undefined;
    of.heard -= 1;
    if (of.items.length === of.heard) return undefined;
    of.heard += 1;
    return of.items[of.heard - 1];
  }

  #countOf(source: string): number {
    return this.#sources.get(source)?.items.length ?? 0;
  }

  #largest(): string | undefined {
    let largest: string | undefined;
    for (const source of this.#sources.keys()) {
      if (largest === undefined || this.#countOf(source) > this.#countOf(largest)) largest = source;
    }
    return largest;
  }
}
