import { randomBytes } from "node:crypto";

import { serverIdBytes } from "./binding.ts";
import type { Engine } from "./binding.ts";

export interface SourceIdsOptions {
  engine: Engine;
  resetTokenOf: (id: Buffer) => bigint;
  /** From now on datagrams with this id are for this connection. */
  onIssued: (id: Buffer) => void;
  /** From now on datagrams with this id are to be thrown away: they come late, and the engine does not know it any more. */
  onRetired: (id: Buffer) => void;
}

/** Peers that want to be given more ids at a time than this are not challenged. Browsers and conec's Clients want 2. */
const maxIdsPerChallenge = 8;

/**
 * The ids that the peer uses for a server's end of a connection, and what they are changed for: to find out whether the
 * peer receives what is sent to an address. It is given so many new ids that it must stop using all it had (Retire Prior To,
 * RFC 9000, section 5.1.2). If it then uses one of those, it has received them, since nobody can guess them.
 */
export class SourceIds {
  readonly #options: SourceIdsOptions;
  /** Those of the challenge that is going on, in latin1. */
  readonly #fresh = new Set<string>();
  #limit = 0;
  #toIssue = 0;
  /** Ids that the peer has not confirmed to use no more. */
  #unconfirmed = 0;

  constructor(options: SourceIdsOptions) {
    this.#options = options;
  }

  /** Begins a challenge in place of the one that is going on. Its ids must leave for one address only: see {@link end}. */
  challenge(): void {
    this.#fresh.clear();
    if (this.#limit === 0) this.#limit = this.#options.engine.stats().peerActiveConnIdLimit;
    this.#toIssue = this.#limit <= maxIdsPerChallenge ? this.#limit : 0;
    this.#issue();
  }

  /** Whether a datagram shows that the peer has received what {@link challenge} sent. */
  isAnswer(datagram: Buffer): boolean {
    return this.#fresh.size > 0 && this.#fresh.has(datagram.toString("latin1", 1, 1 + serverIdBytes));
  }

  /** From now on the ids may be known elsewhere: they prove nothing more. */
  end(): void {
    this.#fresh.clear();
    this.#toIssue = 0;
  }

  /** Datagrams have come in: the peer may have confirmed something, and be ready for more. */
  process(): void {
    if (this.#unconfirmed === 0) return;
    let retired: Uint8Array | null;
    while ((retired = this.#options.engine.nextRetiredSourceId()) !== null) {
      this.#unconfirmed -= 1;
      this.#options.onRetired(Buffer.from(retired));
    }
    this.#issue();
  }

  /** The engine holds at most 2 · limit - 1, those included that the peer has not yet confirmed to use no more. */
  #issue(): void {
    const { engine, resetTokenOf, onIssued } = this.#options;
    while (this.#toIssue > 0 && engine.sourceIds() < 2 * this.#limit - 1) {
      const id = randomBytes(serverIdBytes);
      engine.issueSourceId(id, resetTokenOf(id));
      this.#toIssue -= 1;
      this.#unconfirmed += 1;
      this.#fresh.add(id.toString("latin1"));
      onIssued(id);
    }
  }
}
