import { SmallCheck, smallMessages } from "../messages.js";
import { nowMs } from "./clock.js";

/** The clock is read once for this many messages; what is sent is a multiple of it. */
const CLOCK_EVERY = 64;

/** @type {import("../workloads.js").Workload} */
export const small = {
  title: "small: 64-byte messages A→R→B, one by one, for some seconds",
  unit: "msgs/s",
  better: "higher",
  amounts: {
    normal: { warmup: 1000, counted: 5000 },
    quick: { warmup: 250, counted: 2000 },
  },
  rounds: 5,
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
