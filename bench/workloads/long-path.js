import { BulkCheck, bulkMessage } from "../messages.js";
import { nowMs } from "./clock.js";

const MEGABYTE = 1e6;
const DELAY_MS = 50;

export const longPath = workload("long path: one stream, 100 ms round trip", 0);
export const lossyLongPath = workload("long path: one stream, 100 ms round trip, 0.1 % loss", 0.001);

/**
 * @param {string} title
 * @param {number} loss
 * @returns {import("../workloads.js").Workload}
 */
function workload(title, loss) {
  return {
    title,
    unit: "MB/s",
    better: "higher",
    amounts: { normal: { warmup: 4000, counted: 8000 }, quick: { warmup: 2000, counted: 3000 } },
    rounds: 3,
    bulk: true,
    path: { delayMs: DELAY_MS, loss },
    /** Until B has seen enough. What is still on its way then is of no interest. */
    async send(end, _amount, { onTold }) {
      let over = false;
      onTold(() => void (over = true));
      const link = await end.open();
      let index = 0;
      await link.sendAll(() => (over ? undefined : bulkMessage(index++)));
    },
    receive(end, { warmup, counted }, { wholeMessages, tell }) {
      return new Promise((resolve) => {
        const check = new BulkCheck(wholeMessages);
        let firstMs = 0;
        let start = { ms: 0, bytes: 0 };
        let bytes = 0;
        end.onLink((link) => {
          link.onMessage((piece) => {
            check.take(piece);
            bytes += piece.length;
            const ms = nowMs();
            firstMs ||= ms;
            if (start.ms === 0 && ms - firstMs >= warmup) start = { ms, bytes };
            if (start.ms === 0 || ms - start.ms < counted) return;
            resolve((bytes - start.bytes) / (ms - start.ms));
            tell(0);
          });
        });
      });
    },
    figures: (_sent, bytesPerMs) => ({ value: (bytesPerMs * 1000) / MEGABYTE }),
  };
}
