import { codeOf } from "./pending.js";
import { ConecError } from "conec";

/** @import { Pending } from "./pending.js" */
/** @import { Random } from "./random.js" */

/**
 * How one end of a stream or channel came to its end.
 *
 * @typedef {object} Record
 * @property {string} key Of the stream; `channel` for a channel.
 * @property {"writer" | "reader" | "channel"} side
 * @property {string} self Who was at this end.
 * @property {string} peer Who was at the far end.
 * @property {string} outcome
 * @property {string} [step] How far a writer had come.
 */

/** @typedef {{ [what: string]: number }} Counts */

/**
 * @typedef {object} Reports
 * @property {(finding: string) => void} finding Something that must not be.
 * @property {(note: string) => void} note Something that happened, for whoever looks for the reason of a finding.
 * @property {(record: Record) => void} record
 * @property {Counts} counts
 * @property {Pending} pending
 */

/** A party of the soak: a Client or the Coordinator's own program, with where it tells what it sees. */
export class Host {
  id;
  random;
  pending;
  /** No new streams, channels and cuts from now on. */
  stopping = false;
  #reports;
  #keys = 0;
  #name;

  /**
   * @param {string} id
   * @param {string} name As `id`, but another one for each life of it.
   * @param {Random} random
   * @param {Reports} reports
   */
  constructor(id, name, random, reports) {
    this.id = id;
    this.random = random;
    this.pending = reports.pending;
    this.#name = name;
    this.#reports = reports;
  }

  /** A name for a stream that no other has. */
  newKey() {
    this.#keys += 1;
    return `${this.#name}/${this.#keys}`;
  }

  /** @param {string} what */
  finding(what) {
    this.#reports.finding(what);
  }

  /** @param {string} what */
  note(what) {
    this.#reports.note(`${this.id} ${what}`);
  }

  /** @param {Record} record */
  record(record) {
    this.#reports.record(record);
  }

  /** @param {string} what @param {number} [amount] */
  count(what, amount = 1) {
    const { counts } = this.#reports;
    counts[what] = (counts[what] ?? 0) + amount;
  }

  /** The code of an error; anything but a ConecError, or what a signal of ours throws, is a finding. @param {unknown} error */
  endedBy(error) {
    const code = codeOf(error);
    if (!(error instanceof ConecError) && code !== "TimeoutError") {
      this.finding(`${this.id}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return code;
  }
}
