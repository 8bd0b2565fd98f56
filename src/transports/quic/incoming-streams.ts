// SPDX-License-Identifier: Apache-2.0
import { AbortRate } from "./abort-rate.ts";
import { maxStreams } from "./config.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import type { Violation } from "./violation.ts";

/** New streams that are taken in one turn; the next ones wait until others have had theirs. */
const maxPerTurn = 256;

/** With more streams that did not end in order, the other end would soon be unable to open any: the engine leaks their credit. */
const maxAborted = maxStreams / 2;

/** Why a connection has to be closed. */
export interface StreamProblem {
  violation: Violation;
  what: string;
}

/** Counts the other end's streams, and says when there are too many. Knows no clock. */
export class IncomingStreams {
  readonly #limits: ConnectionLimits;
  readonly #abortRate = new AbortRate();
  /** Directions that are open. */
  #open = 0;
  #accepted = 0;
  #acceptedBefore = 0;
  #aborted = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  startTurn(): void {
    this.#acceptedBefore = this.#accepted;
  }

  /** Whether the next one has to wait for the next turn. */
  get isTurnOver(): boolean {
    return this.#accepted - this.#acceptedBefore >= maxPerTurn;
  }

  /** The other end has opened a stream. */
  opened(isBidirectional: boolean): StreamProblem | undefined {
    const { maxIncomingStreams, maxStreamsInAll } = this.#limits;
    if (this.#open >= maxIncomingStreams) return { violation: "streams", what: "too many streams open at once" };
    if (this.#accepted >= maxStreamsInAll) return { violation: "use", what: "streams were opened" };
    this.#accepted += 1;
    this.#open += isBidirectional ? 2 : 1;
    return undefined;
  }

  /** This end has finished its direction of one. */
  sendEnded(): void {
    this.#open -= 1;
  }

  /** The other end's direction of one is over. */
  receiveEnded(how: "complete" | "cancelled" | "aborted", nowMs: number): StreamProblem | undefined {
    this.#open -= 1;
    if (this.#abortRate.ended(how === "aborted", nowMs)) {
      return { violation: "resets", what: "streams only to abort them" };
    }
    if (how !== "complete") this.#aborted += 1;
    return this.#aborted > maxAborted ? { violation: "use", what: "streams were aborted" } : undefined;
  }
}
