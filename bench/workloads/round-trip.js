import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";
import { quantile } from "./quantile.js";

/** @type {import("../workloads.js").Workload} */
export const roundTrip = {
  title: "round trip: ping-pong of 64 bytes A→R→B→R→A, median",
  unit: "ms",
  better: "lower",
  amounts: {
    normal: { warmup: 500, counted: 3000 },
    quick: { warmup: 300, counted: 1000 },
    slow: { warmup: 50, counted: 300 },
  },
  rounds: 5,
  columns: { p99: "p99" },
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
