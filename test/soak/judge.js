/** @import { Record } from "./host.js" */
/** @typedef {{ records: Record[], atMs: number }} Suspect */

/** How long after a party was disturbed, or before that is known, what hangs on it may end. */
const graceMs = 15_000;

/**
 * Compares what both ends of each stream and channel say of how it ended. What ended without a word of either end needs an
 * excuse: one of its parties was killed or replaced.
 */
export class Judge {
  #report;
  /** By key, what the first end of a stream said, and when. @type {Map<string, { record: Record, atMs: number }>} */
  #single = new Map();
  /** What needs an excuse, and since when. @type {Suspect[]} */
  #suspects = [];
  /** When parties were disturbed. @type {Map<string, number[]>} */
  #disturbed = new Map();

  /** @param {(finding: string) => void} report */
  constructor(report) {
    this.#report = report;
  }

  /** @param {string} id */
  disturb(id) {
    const times = this.#disturbed.get(id) ?? [];
    this.#disturbed.set(id, [...times.filter((atMs) => atMs > performance.now() - 10 * graceMs), performance.now()]);
  }

  /** @param {Record} record */
  add(record) {
    this.#look(performance.now() - graceMs);
    const atMs = performance.now();
    if (record.side === "channel") {
      if (!channelEnds.has(record.outcome)) this.#suspects.push({ records: [record], atMs });
      return;
    }
    const other = this.#single.get(record.key)?.record;
    if (other === undefined) return void this.#single.set(record.key, { record, atMs });
    this.#single.delete(record.key);
    const [writer, reader] = record.side === "writer" ? [record, other] : [other, record];
    if (writer.side === reader.side) this.#report(`The ${record.side} of ${record.key} ended twice: ${show(record, other)}`);
    else if (!fits(writer, reader)) this.#suspects.push({ records: [writer, reader], atMs });
  }

  /** Nothing more comes. */
  end() {
    for (const { record, atMs } of this.#single.values()) {
      // Its reader was never told of a stream that came to nothing as soon as it was opened.
      if (record.side === "writer" && harmless.has(record.outcome)) continue;
      this.#suspects.push({ records: [record], atMs });
    }
    this.#look(Infinity);
  }

  /** Decides about those that were suspected until then. @param {number} untilMs */
  #look(untilMs) {
    const due = this.#suspects.filter(({ atMs }) => atMs <= untilMs);
    if (due.length > 0) this.#suspects = this.#suspects.filter(({ atMs }) => atMs > untilMs);
    for (const { records, atMs } of due) {
      const parties = records.flatMap(({ self, peer }) => [self, peer]);
      const disturbances = parties.flatMap((party) => this.#disturbed.get(party) ?? []);
      const isExcused = disturbances.some((disturbedMs) => Math.abs(disturbedMs - atMs) < graceMs);
      if (!isExcused) this.#report(`Without a reason: ${show(...records)}`);
    }
  }
}

/** How channels end when all is well; `refused` is for who takes a channel that the other one does not. */
const channelEnds = new Set(["closed", "detached", "refused"]);
/** What ends because a program closes, hands on, aborts. */
const harmless = new Set(["closed", "detached", "aborted", "TimeoutError"]);

/** Whether both ends of a stream agree. @param {Record} writer @param {Record} reader */
function fits(writer, reader) {
  const both = `${writer.outcome} ${reader.outcome}`;
  // A reader may give up what its conec has received in full; a writer may be closed before it has heard of that.
  return [
    "confirmed complete",
    "confirmed cancelled",
    "cancelled cancelled",
    "aborted aborted",
    "aborted cancelled",
    "closed complete",
    "closed cancelled",
    "closed closed",
    "aborted closed",
    "cancelled closed",
    "closed aborted",
  ].includes(both);
}

/** @param {...Record} records */
function show(...records) {
  return records.map((record) => JSON.stringify(record)).join(" ");
}
