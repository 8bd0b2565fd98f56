/**
 * The four workloads, written once over the interface of peers.js.
 *
 * In each, `receive` is called at B when it is connected, then `send` at A; both resolve with what they measured, and
 * `figures` (in the main process) makes the run's figures of it. Any message that is wrong throws and fails the run.
 * Before what counts comes a warm-up on the same link.
 */

import { BULK_BYTES, BulkCheck, bulkMessage, SmallCheck, smallMessages } from "./messages.js";

/** @typedef {import("./peers.js").End} End */
/** @typedef {import("./peers.js").Link} Link */

/**
 * The other of A and B, reached by way of the main process (not by way of the peer, nor while anything is timed).
 * @typedef {object} Other
 * @property {(value: number) => void} tell
 * @property {(listener: (value: number) => void) => void} onTold
 */

/** How much work a run is: messages, rounds or milliseconds. @typedef {{ warmup: number, counted: number }} Amount */

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
 * @property {(end: End, amount: Amount, other: Other) => Promise<any>} send
 * @property {(end: End, amount: Amount, other: Other, wholeMessages: boolean) => Promise<any>} receive
 * @property {(sent: any, received: any, amount: Amount) => Figures} figures
 */

const MEGABYTE = 1e6;
const BULK_MESSAGES_PER_MIB = (1 << 20) / BULK_BYTES;
/** The clock is read once for this many small messages; what is sent is a multiple of it. */
const CLOCK_EVERY = 64;

/** @type {Workload} */
const bulk = {
  title: "bulk: 64 KiB messages A→R→B",
  unit: "MB/s",
  better: "higher",
  amounts: { normal: mebibytes(32, 256), quick: mebibytes(8, 64), slow: mebibytes(0.5, 2) },
  async send(end, { warmup, counted }) {
    const link = await end.open();
    let index = 0;
    await link.sendAll(() => (index < warmup + counted ? bulkMessage(index++) : undefined));
  },
  receive(end, { warmup, counted }, _other, wholeMessages) {
    return new Promise((resolve) => {
      const check = new BulkCheck(wholeMessages);
      let startMs = 0;
      end.onLink((link) => {
        link.onMessage((piece) => {
          check.take(piece);
          if (startMs === 0 && check.count >= warmup) startMs = nowMs();
          if (check.count === warmup + counted) resolve(nowMs() - startMs);
        });
      });
    });
  },
  figures: (_sent, ms, { counted }) => ({ value: (counted * BULK_BYTES) / MEGABYTE / (ms / 1000) }),
};

/** @type {Workload} */
const small = {
  title: "small: 64-byte messages A→R→B, one by one, for some seconds",
  unit: "msgs/s",
  better: "higher",
  amounts: {
    normal: { warmup: 1000, counted: 5000 },
    quick: { warmup: 250, counted: 2000 },
  },
  async send(end, { warmup, counted }, other) {
    const link = await end.open();
    const make = smallMessages();
    const endMs = nowMs() + warmup + counted;
    let sent = 0;
    await link.sendAll(() => {
      if (sent % CLOCK_EVERY === 0 && nowMs() >= endMs) return undefined;
      sent++;
      return make();
    });
    other.tell(sent);
  },
  receive(end, { warmup }, other) {
    return new Promise((resolve) => {
      const check = new SmallCheck();
      let expected = Infinity;
      let firstMs = 0;
      let startMs = 0;
      let startCount = 0;
      let lastMs = 0;
      const finish = () => {
        if (check.count === expected) resolve({ messages: check.count - startCount, ms: lastMs - startMs });
      };
      other.onTold((sent) => {
        expected = sent;
        finish();
      });
      end.onLink((link) => {
        link.onMessage((message) => {
          check.take(message);
          if (check.count % CLOCK_EVERY === 0) {
            lastMs = nowMs();
            firstMs ||= lastMs;
            if (startMs === 0 && lastMs - firstMs >= warmup) {
              startMs = lastMs;
              startCount = check.count;
            }
            finish();
          }
        });
      });
    });
  },
  figures: (_sent, { messages, ms }) => ({ value: messages / (ms / 1000), messages }),
};

/** @type {Workload} */
const pingPong = {
  title: "round trip: ping-pong of 64 bytes A→R→B→R→A, median",
  unit: "ms",
  better: "lower",
  amounts: {
    normal: { warmup: 500, counted: 3000 },
    quick: { warmup: 300, counted: 1000 },
    slow: { warmup: 50, counted: 300 },
  },
  async send(end, { warmup, counted }) {
    const link = await end.open();
    const check = new SmallCheck();
    const make = smallMessages();
    /** @type {number[]} */
    const trips = [];
    await new Promise((resolve) => {
      let sentMs = nowMs();
      link.onMessage((message) => {
        const gotMs = nowMs();
        check.take(message);
        trips.push(gotMs - sentMs);
        if (check.count === warmup + counted) return resolve(undefined);
        sentMs = nowMs();
        link.send(make());
      });
      link.send(make());
    });
    return trips.slice(warmup);
  },
  receive(end, { warmup, counted }) {
    return new Promise((resolve) => {
      const check = new SmallCheck();
      end.onLink((link) => {
        link.onMessage((message) => {
          check.take(message);
          link.send(message);
          if (check.count === warmup + counted) resolve(undefined);
        });
      });
    });
  },
  figures: (trips) => ({ value: quantile(trips, 0.5), p99: quantile(trips, 0.99) }),
};

/** @type {Workload} */
const open = {
  title: "open: from opening a link to its first message at B, median",
  unit: "ms",
  better: "lower",
  amounts: {
    // As many as it takes until the code of all peers has been compiled.
    normal: { warmup: 1000, counted: 300 },
    quick: { warmup: 300, counted: 100 },
    slow: { warmup: 300, counted: 100 },
  },
  async send(end, { warmup, counted }, other) {
    const make = smallMessages();
    /** @type {number[]} */
    const starts = [];
    for (let round = 0; round < warmup + counted; round++) {
      const arrived = new Promise((resolve) => other.onTold(resolve));
      starts.push(nowMs());
      const link = await end.open();
      link.send(make());
      await arrived;
      link.close();
    }
    return starts;
  },
  receive(end, { warmup, counted }, other) {
    return new Promise((resolve) => {
      const check = new SmallCheck();
      /** @type {number[]} */
      const arrivals = [];
      end.onLink((link) => {
        link.onMessage((message) => {
          arrivals.push(nowMs());
          check.take(message);
          other.tell(check.count);
          if (check.count === warmup + counted) resolve(arrivals);
        });
      });
    });
  },
  figures(starts, /** @type {number[]} */ arrivals, { warmup }) {
    const took = arrivals.map((arrival, round) => arrival - starts[round]).slice(warmup);
    return { value: quantile(took, 0.5), p99: quantile(took, 0.99) };
  },
};

/** @type {Record<string, Workload>} */
export const workloads = { W1: bulk, W2: small, W3: pingPong, W4: open };

/**
 * @param {number[]} values
 * @param {number} share 0.5 for the median.
 */
export function quantile(values, share) {
  const sorted = [...values].sort((one, two) => one - two);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}

/** The machine's monotonic clock, which is the same in every process; in a page one of its own. */
function nowMs() {
  return "process" in globalThis ? Number(process.hrtime.bigint()) / 1e6 : performance.now();
}

/**
 * @param {number} warmup
 * @param {number} counted
 */
function mebibytes(warmup, counted) {
  return { warmup: warmup * BULK_MESSAGES_PER_MIB, counted: counted * BULK_MESSAGES_PER_MIB };
}
