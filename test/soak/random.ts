import { randomAt } from "../support/network/seeded-random.js";

/** Pseudo-random numbers that follow from a seed and a name. What happens when is up to the machine all the same. */
export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number, name: string) {
    this.#seed = seed ^ hash(name);
  }

  /** From 0 up to 1. */
  next(): number {
    this.#drawn += 1;
    return randomAt(this.#seed, this.#drawn);
  }

  /** An integer from 0 up to `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** An integer of this range, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** @param list Not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
