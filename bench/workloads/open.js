import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";
import { quantile } from "./quantile.js";

/** @type {import("../workloads.js").Workload} */
export const open = {
  title: "open: from opening a link to its first message at B, median",
  unit: "ms",
  better: "lower",
  amounts: {
    // As many as it takes until the code of all peers has been compiled.
    normal: { warmup: 1000, counted: 300 },
    quick: { warmup: 300, counted: 100 },
    slow: { warmup: 300, counted: 100 },
  },
  rounds: 5,
  columns: { p99: "p99" },
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
