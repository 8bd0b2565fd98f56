/**
 * The workloads, written once over the interface of peers.js.
 *
 * In each, `receive` is called at B when it is connected, then `send` at A; both resolve with what they measured, and
 * `figures` (in the main process) makes the run's figures of it. Any message that is wrong throws and fails the run.
 * Before what counts comes a warm-up.
 */

import { bulk } from "./workloads/bulk.js";
import { fanOut } from "./workloads/fan-out.js";
import { headOfLine } from "./workloads/head-of-line.js";
import { longPath, lossyLongPath } from "./workloads/long-path.js";
import { manyPairs } from "./workloads/many-pairs.js";
import { memory } from "./workloads/memory.js";
import { open } from "./workloads/open.js";
import { roundTrip } from "./workloads/round-trip.js";
import { small } from "./workloads/small.js";
import { stalledReader } from "./workloads/stalled-reader.js";

/** @typedef {import("./peers.js").End} End */

/**
 * What a workload reaches at A or B beside its end.
 * @typedef {object} Context
 * @property {(value: number) => void} tell To the other of A and B, by way of the main process, not of the peer.
 * @property {(listener: (value: number) => void) => void} onTold What was told before is not lost.
 * @property {(pair: number) => Promise<End>} connect Another end, in this process.
 * @property {() => Promise<RelayUse>} relayUse
 * @property {() => Promise<Record<"a" | "r" | "b", number>>} residentBytes Of each process, after garbage collection.
 * @property {boolean} wholeMessages As in the row.
 */

/** @typedef {{ residentBytes: number, cpuSeconds: number }} RelayUse */

/** How much work a run is: messages, rounds, Clients or milliseconds. @typedef {{ warmup: number, counted: number }} Amount */

/**
 * What one run measured. `value` is the workload's figure.
 * @typedef {{ value: number } & Record<string, number>} Figures
 */

/**
 * @typedef {object} Workload
 * @property {string} title
 * @property {string} unit
 * @property {"higher" | "lower"} better
 * @property {{ normal: Amount, quick: Amount, slow?: Amount }} amounts `slow`, if given, is for rows marked so, always.
 * @property {number} rounds Of a whole run of the bench.
 * @property {Record<string, string>} [columns] Headings of the figures that are shown beside `value`.
 * @property {boolean} [bulk] Message boundaries need not be marked.
 * @property {boolean} [fanOut]
 * @property {import("./network.js").PathOptions} [path] The network between A and the relay; else loopback.
 * @property {(end: End, amount: Amount, context: Context) => Promise<any>} send
 * @property {(end: End, amount: Amount, context: Context) => Promise<any>} receive
 * @property {(sent: any, received: any, amount: Amount) => Figures} figures
 */

/** @type {Record<string, Workload>} */
export const workloads = {
  W1: bulk,
  W2: small,
  W3: roundTrip,
  W4: open,
  W5: memory,
  W6: fanOut,
  W7: manyPairs,
  W8: headOfLine,
  W9: longPath,
  "W9-lossy": lossyLongPath,
  stalled: stalledReader,
};
