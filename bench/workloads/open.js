import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";
import { quantile } from "./quantile.js";

/** @type {import("../workloads.js").Workload} */
export const open = {
  title: "open: from opening a link to its first message at B, median",
  unit: "ms",
  better: "lower",
  amounts: {
    // Milliseconds, the same for all, until their code has been compiled; then rounds.
    normal: { warmup: 5000, counted: 300 },
    quick: { warmup: 500, counted: 100 },
    slow: { warmup: 3000, counted: 100 },
  },
  rounds: 5,
  columns: { p99: "p99" },
  async send(end, { warmup, counted }, other) {
    const make = smallMessages();
    /** @type {number[]} */
    const starts = [];
    const warmMs = nowMs() + warmup;
    for (let left = counted; left > 0;) {
      if (nowMs() > warmMs) left -= 1;
      const arrived = new Promise((resolve) => other.onTold(resolve));
      starts.push(nowMs());
      const link = await end.open();
      link.send(make());
      await arrived;
      link.close();
    }
    other.tell(starts.length);
    return starts;
  },
  receive(end, _amount, other) {
    return new Promise((resolve, reject) => {
      const check = new SmallCheck();
      /** @type {number[]} */
      const arrivals = [];
      end.onLink((link) => {
        link.onMessage((message) => {
          arrivals.push(nowMs());
          check.take(message);
          other.tell(check.count);
        });
      });
      other.onTold((sent) => {
        if (check.count === sent) resolve(arrivals);
        else reject(new Error(`${check.count} messages arrived, of ${sent}`));
      });
    });
  },
  figures(starts, /** @type {number[]} */ arrivals, { counted }) {
    const took = arrivals.map((arrival, round) => arrival - starts[round]).slice(-counted);
    return { value: quantile(took, 0.5), p99: quantile(took, 0.99) };
  },
};
