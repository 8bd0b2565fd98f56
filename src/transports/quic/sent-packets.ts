// SPDX-License-Identifier: Apache-2.0
import type { Engine } from "./binding.ts";
import { FalseAcknowledgements } from "./false-acknowledgements.ts";
import type { PathFigures } from "./false-acknowledgements.ts";

/** How often the engine is asked for figures, which takes microseconds. */
const packetsPerCheck = 4096;

/** Counts the packets of a connection and looks now and then at what has become of them. */
export class SentPackets {
  readonly #engine: Engine;
  readonly #maxBytes: number;
  readonly #acknowledgements = new FalseAcknowledgements();
  #packetsToCheck = packetsPerCheck;

  constructor(engine: Engine, maxBytes: number) {
    this.#engine = engine;
    this.#maxBytes = maxBytes;
  }

  /** A packet was built. True when it is time for {@link check}. */
  countBuilt(): boolean {
    this.#packetsToCheck -= 1;
    return this.#packetsToCheck === 0;
  }

  /** What is wrong, if anything: see {@link Violation}. */
  check(nowMs: number): "use" | "acknowledgements" | undefined {
    this.#packetsToCheck = packetsPerCheck;
    const figures = this.#figures();
    if (figures.sentBytes > this.#maxBytes) return "use";
    return this.#acknowledgements.check(figures, nowMs) ? "acknowledgements" : undefined;
  }

  /** Whether this packet, which the other end would have to acknowledge, is not to be sent: see {@link FalseAcknowledgements}. */
  isToWithhold(nowMs: number): boolean {
    if (!this.#acknowledgements.isToWithhold()) return false;
    this.#acknowledgements.withheld(this.#figures(), nowMs);
    return true;
  }

  #figures(): PathFigures {
    return this.#engine.pathStats() ?? { sentBytes: 0, cwnd: 0, lost: 0, rtt: 0 };
  }
}
