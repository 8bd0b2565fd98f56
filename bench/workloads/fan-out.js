import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";

const RECEIVERS = 50;
const CLOCK_EVERY = 64;

/** @type {import("../workloads.js").Workload} */
export const fanOut = {
  title: `fan-out: 64-byte messages of one sender to ${RECEIVERS} receivers, for some seconds`,
  unit: "deliveries/s",
  better: "higher",
  amounts: { normal: { warmup: 1000, counted: 4000 }, quick: { warmup: 250, counted: 1000 } },
  rounds: 3,
  fanOut: true,
  async send(end, { warmup, counted }, { tell, onTold }) {
    await new Promise((resolve) => onTold(resolve));
    const link = await end.open();
    const make = smallMessages();
    const endMs = nowMs() + warmup + counted;
    let sent = 0;
    await link.sendAll(() => {
      if (sent % CLOCK_EVERY === 0 && nowMs() >= endMs) return undefined;
      sent++;
      return make();
    });
    tell(sent);
  },
  async receive(end, { warmup }, { connect, tell, onTold }) {
    const ends = [end];
    while (ends.length < RECEIVERS) ends.push(await connect(ends.length));
    return new Promise((resolve) => {
      let expected = Infinity;
      let complete = 0;
      let deliveries = 0;
      let firstMs = 0;
      let start = { ms: 0, deliveries: 0 };
      const checks = ends.map(() => new SmallCheck());
      const completed = () => {
        if (++complete === RECEIVERS) resolve((deliveries - start.deliveries) / (nowMs() - start.ms));
      };
      onTold((sent) => {
        expected = sent;
        for (const { count } of checks) if (count === expected) completed();
      });
      for (const [place, each] of ends.entries()) {
        const check = /** @type {SmallCheck} */ (checks[place]);
        each.onLink((link) => {
          link.onMessage((message) => {
            check.take(message);
            if (++deliveries % CLOCK_EVERY === 0 && start.ms === 0) {
              const ms = nowMs();
              firstMs ||= ms;
              if (ms - firstMs >= warmup) start = { ms, deliveries };
            }
            if (check.count === expected) completed();
          });
        });
      }
      tell(0);
    });
  },
  figures: (_sent, perMs) => ({ value: perMs * 1000 }),
};
