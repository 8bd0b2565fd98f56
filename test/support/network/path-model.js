import { randomAt } from "./seeded-random.js";

/**
 * What one direction of a path does. Shares are from 0 to 1; what is absent does not happen.
 *
 * @typedef {object} Conditions
 * @property {number} [delayMs] How long each datagram takes.
 * @property {number} [jitterMs] How much longer it takes at the worst of times; the delay changes gradually, so nothing is
 *   overtaken by that alone.
 * @property {number} [loss] Share that is lost, each by itself.
 * @property {number} [reorder] Share that takes `reorderMs` longer and is overtaken meanwhile.
 * @property {number} [reorderMs] Default 5.
 * @property {number} [duplicate] Share that arrives twice.
 * @property {number} [corrupt] Share that arrives with one bit changed.
 * @property {number} [bytesPerSecond] Of UDP payload. Absent: as fast as they come.
 * @property {number} [queueBytes] What may wait for its turn at that rate; what is beyond is lost. Default 64 KiB.
 * @property {number} [maxDatagramBytes] Larger ones are swallowed.
 * @property {boolean} [blackout] All are.
 */

/**
 * @typedef {object} Delivery
 * @property {number} atMs
 * @property {number | undefined} flippedBit Which bit arrives changed.
 */

/** @typedef {"blackout" | "tooLarge" | "queueFull" | "loss"} LossReason */

/** @typedef {{ offered: number, delivered: number, lost: Record<LossReason, number> }} PathCounts */

const defaultQueueBytes = 64 * 1024;
const defaultReorderMs = 5;

/** Over how many times `jitterMs` the delay goes from one extreme to the other at most. Above 1, so that order is kept. */
const jitterPeriods = 2;

/** What is drawn for each datagram: always all of it, so that a change of one condition leaves the others' draws alone. */
const draws = { loss: 0, reorder: 1, duplicate: 2, corrupt: 3, flippedBit: 4 };
const drawsPerDatagram = Object.keys(draws).length;

/**
 * Decides what becomes of each datagram of one direction of a path. Knows no clock and sends nothing: given the same seed,
 * conditions, times and sizes, it decides the same.
 */
export class PathModel {
  /** @type {PathCounts} */
  counts = { offered: 0, delivered: 0, lost: { blackout: 0, tooLarge: 0, queueFull: 0, loss: 0 } };
  #seed;
  #conditions;
  /** When what waits at the rate limit will have left. */
  #busyUntilMs = -Infinity;

  /**
   * @param {Conditions} conditions
   * @param {number} seed An integer.
   */
  constructor(conditions = {}, seed = 0) {
    this.#conditions = checked(conditions);
    this.#seed = seed;
  }

  get conditions() {
    return this.#conditions;
  }

  /**
   * Changes these from now on, for what is not under way yet; `undefined` takes one away.
   *
   * @param {Conditions | { [Name in keyof Conditions]: Conditions[Name] | undefined }} changes
   */
  set(changes) {
    this.#conditions = checked(/** @type {Conditions} */ ({ ...this.#conditions, ...changes }));
  }

  /**
   * A datagram comes at `nowMs`, which never goes back. Returns when it arrives at the other end: once, twice or not at all.
   *
   * @param {number} nowMs
   * @param {number} bytes
   * @returns {Delivery[]}
   */
  decide(nowMs, bytes) {
    const {
      delayMs = 0,
      loss = 0,
      reorder = 0,
      reorderMs = defaultReorderMs,
      duplicate = 0,
      corrupt = 0,
      maxDatagramBytes = Infinity,
      blackout = false,
    } = this.#conditions;
    const first = this.counts.offered * drawsPerDatagram;
    this.counts.offered += 1;
    /** @param {number} draw */
    const drawn = (draw) => randomAt(this.#seed, first + draw);

    if (blackout) return this.#lose("blackout");
    if (bytes > maxDatagramBytes) return this.#lose("tooLarge");
    const leavesMs = this.#leave(nowMs, bytes);
    if (leavesMs === undefined) return this.#lose("queueFull");
    if (drawn(draws.loss) < loss) return this.#lose("loss");
    const laterMs = drawn(draws.reorder) < reorder ? reorderMs : 0;
    const isCorrupt = bytes > 0 && drawn(draws.corrupt) < corrupt;
    const flippedBit = isCorrupt ? Math.floor(drawn(draws.flippedBit) * bytes * 8) : undefined;
    const delivery = { atMs: leavesMs + delayMs + this.#jitterMs(leavesMs) + laterMs, flippedBit };
    const deliveries = drawn(draws.duplicate) < duplicate ? [delivery, delivery] : [delivery];
    this.counts.delivered += deliveries.length;
    return deliveries;
  }

  /**
   * When its last byte leaves, at the rate; undefined when there is no room to wait.
   *
   * @param {number} nowMs
   * @param {number} bytes
   */
  #leave(nowMs, bytes) {
    const { bytesPerSecond, queueBytes = defaultQueueBytes } = this.#conditions;
    if (bytesPerSecond === undefined) return nowMs;
    const fromMs = Math.max(nowMs, this.#busyUntilMs);
    const waitingBytes = ((fromMs - nowMs) / 1000) * bytesPerSecond;
    // What is being sent has left the queue.
    if (waitingBytes > 0 && waitingBytes + bytes > queueBytes) return undefined;
    this.#busyUntilMs = fromMs + (bytes / bytesPerSecond) * 1000;
    return this.#busyUntilMs;
  }

  /**
   * Between points in time that have a value each, in a straight line. It never falls as fast as time goes by.
   *
   * @param {number} atMs
   */
  #jitterMs(atMs) {
    const { jitterMs = 0 } = this.#conditions;
    if (jitterMs === 0) return 0;
    const point = atMs / (jitterPeriods * jitterMs);
    const before = Math.floor(point);
    const share = point - before;
    const from = randomAt(~this.#seed, before);
    const to = randomAt(~this.#seed, before + 1);
    return jitterMs * (from + (to - from) * share);
  }

  /**
   * @param {LossReason} reason
   * @returns {Delivery[]}
   */
  #lose(reason) {
    this.counts.lost[reason] += 1;
    return [];
  }
}

const shares = /** @type {const} */ (["loss", "reorder", "duplicate", "corrupt"]);
const amounts = /** @type {const} */ ([
  "delayMs",
  "jitterMs",
  "reorderMs",
  "bytesPerSecond",
  "queueBytes",
  "maxDatagramBytes",
]);

/** @param {Conditions} conditions */
function checked(conditions) {
  for (const name of shares) {
    const share = conditions[name] ?? 0;
    if (!(share >= 0 && share <= 1)) throw new RangeError(`${name} must be from 0 to 1, not ${share}`);
  }
  for (const name of amounts) {
    const amount = conditions[name] ?? 1;
    const isRate = name === "bytesPerSecond";
    if (!(isRate ? amount > 0 : amount >= 0)) throw new RangeError(`${name} cannot be ${amount}`);
  }
  return conditions;
}
