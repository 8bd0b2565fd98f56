// SPDX-License-Identifier: Apache-2.0
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

/**
 * From the beginning of a challenge to its first id: about as long as it takes to hear from the address in use, if somebody else
 * has only sent copies before it. Then the challenge is over before it has changed anything.
 */
const leastHearingMs = 50;
const hearingRoundTrips = 1;

/**
 * From the last id of a challenge to the first of the next: by then the earlier ones have arrived, if need be by being sent
 * again. Else the engine could send an old id together with the newest request to give up ids up to a later one, which no frame
 * may say (RFC 9000, section 19.15): the peer would close the connection.
 */
const leastSettlingMs = 500;
const settlingRoundTrips = 4;

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
  #lastIssuedMs = -Infinity;
  /** When the challenge that is going on may send its first id; undefined once it may. */
  #notBeforeMs: number | undefined;
  /** Ids that the peer has not confirmed to use no more. */
  #unconfirmed = 0;

  constructor(options: SourceIdsOptions) {
    this.#options = options;
  }

  /**
   * Begins a challenge in place of the one that is going on. Its ids leave a little later (see {@link dueMs}), and must leave
   * for one address only: see {@link end}.
   */
  challenge(nowMs: number, rttMs: number): void {
    this.#fresh.clear();
    const heardMs = nowMs + Math.max(leastHearingMs, hearingRoundTrips * rttMs);
    const settledMs = this.#lastIssuedMs + Math.max(leastSettlingMs, settlingRoundTrips * rttMs);
    this.#notBeforeMs = Math.max(heardMs, settledMs);
    if (this.#limit === 0) this.#limit = this.#options.engine.stats().peerActiveConnIdLimit;
    this.#toIssue = this.#limit <= maxIdsPerChallenge ? this.#limit : 0;
    this.#issue(nowMs);
  }

  /** When {@link process} wants to be called, even if nothing comes in. */
  get dueMs(): number {
    return this.#toIssue > 0 ? (this.#notBeforeMs ?? Infinity) : Infinity;
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
  process(nowMs: number): void {
    if (this.#unconfirmed === 0 && this.#toIssue === 0) return;
    let retired: Uint8Array | null;
    while ((retired = this.#options.engine.nextRetiredSourceId()) !== null) {
      this.#unconfirmed -= 1;
      this.#options.onRetired(Buffer.from(retired));
    }
    this.#issue(nowMs);
  }

  /** The engine holds at most 2 · limit - 1, those included that the peer has not yet confirmed to use no more. */
  #issue(nowMs: number): void {
    if (nowMs < (this.#notBeforeMs ?? -Infinity)) return;
    this.#notBeforeMs = undefined;
    const { engine, resetTokenOf, onIssued } = this.#options;
    while (this.#toIssue > 0 && engine.sourceIds() < 2 * this.#limit - 1) {
      const id = randomBytes(serverIdBytes);
      engine.issueSourceId(id, resetTokenOf(id));
      this.#lastIssuedMs = nowMs;
      this.#toIssue -= 1;
      this.#unconfirmed += 1;
      this.#fresh.add(id.toString("latin1"));
      onIssued(id);
    }
  }
}
