import type { Ending } from "./witness.ts";

/**
 * Compares what both ends of each stream say of how it ended. Connections are lost, but always come back in time: so a stream or
 * channel may end for no other reason than that a program closed, aborted, cancelled or handed it on. The one exception is a
 * channel of which an end was never handed over, as the one who tried was told: whoever had the other end already, or was handed
 * it by them, loses it.
 */
export class Judge {
  readonly #find: (finding: string) => void;
  /** By key: what the first end of a stream said. */
  readonly #single = new Map<string, Ending>();
  readonly #failedHandovers = new Set<string>();
  /** By key: the key of the channel that was handed over. */
  readonly #parents = new Map<string, string>();
  /** Pardoned only by a failed handover, of which the word may come later. */
  readonly #suspects: Ending[][] = [];

  constructor(find: (finding: string) => void) {
    this.#find = find;
  }

  add(ending: Ending): void {
    const { side, key, channel, outcome } = ending;
    if (side === "handover") {
      this.#parents.set(key, channel);
      if (outcome === "done") return;
      this.#failedHandovers.add(key);
      if (!handoverFailures.has(outcome)) this.#suspect(ending);
    } else if (side === "channel") {
      if (!channelEnds.has(outcome)) this.#suspect(ending);
    } else {
      const other = this.#single.get(key);
      if (other === undefined) return void this.#single.set(key, ending);
      this.#single.delete(key);
      const [writer, reader] = side === "writer" ? [ending, other] : [other, ending];
      if (writer.side === reader.side) this.#find(`The ${side} of a stream ended twice: ${show([ending, other])}`);
      else if (!pairs.has(`${writer.outcome} ${reader.outcome}`)) this.#suspect(writer, reader);
    }
  }

  /** Nothing more comes. */
  end(): void {
    // Its reader was never told of a stream that came to nothing as soon as it was opened.
    const single = [...this.#single.values()].filter(({ side, outcome }) => side === "reader" || !alone.has(outcome));
    for (const ending of single) this.#suspect(ending);
    for (const endings of this.#suspects)
      if (!endings.some(({ channel }) => this.#wasNeverWhole(channel))) this.#find(show(endings));
  }

  /** Whether one of the handovers that a channel has come of, one after the other, has failed. */
  #wasNeverWhole(channel: string): boolean {
    for (let key: string | undefined = channel; key; key = this.#parents.get(key))
      if (this.#failedHandovers.has(key)) return true;
    return false;
  }

  #suspect(...endings: Ending[]): void {
    if (endings[0]!.channel === "") this.#find(show(endings));
    else this.#suspects.push(endings);
  }
}

/** Somebody is away, does not want it, or has closed or handed on either channel; there are streams; it takes too long. */
const handoverFailures = new Set([
  "peer-lost",
  "refused",
  "streams-open",
  "closed",
  "detached",
  "timeout",
  "limit-exceeded",
]);
const channelEnds = new Set(["closed", "detached"]);
const alone = new Set(["closed", "detached", "aborted", "TimeoutError"]);

/**
 * What writer and reader may say of a stream. A reader may give up what its conec has received in full; whoever closes a channel
 * ends what is under way, of which one end may have come to its end already.
 */
const pairs = new Set([
  "confirmed complete",
  "confirmed cancelled",
  "cancelled cancelled",
  "cancelled closed",
  "aborted aborted",
  "aborted cancelled",
  "aborted closed",
  "closed complete",
  "closed cancelled",
  "closed aborted",
  "closed closed",
]);

function show(endings: readonly Ending[]): string {
  return `Ended as it must not: ${endings.map((ending) => JSON.stringify(ending)).join(" ")}`;
}
