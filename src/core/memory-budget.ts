// SPDX-License-Identifier: Apache-2.0
/**
 * Counts the bytes that are kept for each of several parties, and says who has too many: whoever is over its own limit, or
 * has the most while all together are near theirs. Knows no clock.
 */
export class MemoryBudget {
  readonly #bytesEach: number;
  readonly #bytesInAll: number;
  readonly #accounts = new Set<MemoryAccount>();
  #used = 0;

  constructor(bytesEach: number, bytesInAll: number) {
    this.#bytesEach = bytesEach;
    this.#bytesInAll = bytesInAll;
  }

  /** Bytes that are kept in all. */
  get used(): number {
    return this.#used;
  }

  /** Whether nobody new should be let in. */
  get isTight(): boolean {
    return this.#used > fullShare * this.#bytesInAll;
  }

  /** @param onOver called once, in a microtask, when this party is the one that has too much */
  open(onOver: () => void): MemoryAccount {
    const account: MemoryAccount = new MemoryAccount(onOver, (bytes) => {
      this.#used += bytes;
      if (bytes <= 0) return;
      if (account.used > this.#bytesEach) account.giveUp();
      else if (this.#used > worstShare * this.#bytesInAll) this.#worst().giveUp();
    });
    this.#accounts.add(account);
    account.onClosed = () => this.#accounts.delete(account);
    return account;
  }

  #worst(): MemoryAccount {
    let worst: MemoryAccount | undefined;
    for (const account of this.#accounts) if (worst === undefined || account.used > worst.used) worst = account;
    return worst!;
  }
}

/** What is kept for one party. */
export class MemoryAccount {
  readonly #onOver: () => void;
  readonly #onChange: (bytes: number) => void;
  onClosed: (() => void) | undefined;
  #used = 0;
  #isOpen = true;
  #isGivenUp = false;

  constructor(onOver: () => void, onChange: (bytes: number) => void) {
    this.#onOver = onOver;
    this.#onChange = onChange;
  }

  get used(): number {
    return this.#used;
  }

  /** So many bytes more, or less, are kept. */
  readonly change = (bytes: number): void => {
    if (!this.#isOpen) return;
    this.#used += bytes;
    this.#onChange(bytes);
  };

  /** The party has too much. */
  giveUp(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    queueMicrotask(this.#onOver);
  }

  /** Nothing is kept any more. */
  close(): void {
    this.change(-this.#used);
    this.#isOpen = false;
    this.onClosed?.();
  }
}

/** Above the first share nobody new is let in, above the second whoever has the most is given up. */
const fullShare = 0.8;
const worstShare = 0.9;
