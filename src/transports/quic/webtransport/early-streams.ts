// SPDX-License-Identifier: Apache-2.0
import type { SessionStream } from "../http3/connection.ts";

/** How many streams may come before the session they belong to is open. */
export const maxEarlyStreams = 64;

/** Keeps the streams that came before their session (draft-ietf-webtrans-http3, section 4.5). */
export class EarlyStreams {
  #kept: { sessionId: number; stream: SessionStream }[] = [];

  /** False when there is no more room. */
  keep(sessionId: number, stream: SessionStream): boolean {
    if (this.#kept.length >= maxEarlyStreams) return false;
    this.#kept.push({ sessionId, stream });
    return true;
  }

  /** Those of a session, in the order in which they came, and those of all others. Nothing is kept any more. */
  takeAll(sessionId: number | undefined): { own: SessionStream[]; others: SessionStream[] } {
    const kept = this.#kept;
    this.#kept = [];
    return {
      own: kept.filter((each) => each.sessionId === sessionId).map((each) => each.stream),
      others: kept.filter((each) => each.sessionId !== sessionId).map((each) => each.stream),
    };
  }
}
