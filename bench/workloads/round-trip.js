import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";
import { quantile } from "./quantile.js";

/** @type {import("../workloads.js").Workload} */
export const roundTrip = {
  title: "round trip: ping-pong of 64 bytes A→R→B→R→A, median",
  unit: "ms",
  better: "lower",
  amounts: {
    // Milliseconds, the same for all, until their code has been compiled; then rounds.
    normal: { warmup: 3000, counted: 3000 },
    quick: { warmup: 500, counted: 1000 },
    slow: { warmup: 1000, counted: 300 },
  },
  rounds: 5,
  columns: { p99: "p99" },
  async send(end, { warmup, counted }, other) {
    const link = await end.open();
    const check = new SmallCheck();
    const make = smallMessages();
    /** @type {number[]} */
    const trips = [];
    const warmMs = nowMs() + warmup;
    await new Promise((resolve) => {
      let sentMs = nowMs();
      link.onMessage((message) => {
        const gotMs = nowMs();
        check.take(message);
        if (sentMs > warmMs) trips.push(gotMs - sentMs);
        if (trips.length === counted) return resolve(undefined);
        sentMs = nowMs();
        link.send(make());
      });
      link.send(make());
    });
    other.tell(check.count);
    return trips;
  },
  receive(end, _amount, other) {
    return new Promise((resolve) => {
      const check = new SmallCheck();
      end.onLink((link) => {
        link.onMessage((message) => {
          check.take(message);
          link.send(message);
        });
      });
      // The last of them is back when A says how many there were.
      other.onTold(resolve);
    });
  },
  figures: (trips) => ({ value: quantile(trips, 0.5), p99: quantile(trips, 0.99) }),
};
