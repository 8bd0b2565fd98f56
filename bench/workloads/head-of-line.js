import { BULK_BYTES, BulkCheck, bulkMessage, TimedCheck, timedMessages } from "../messages.js";
import { nowMs, sleep } from "./clock.js";
import { quantile } from "./quantile.js";

const INTERVAL_MS = 5;
const MEGABYTE = 1e6;
/** In the first message of a link: which of the two flows it is. */
const SMALL_BYTES = 64;

/** @type {import("../workloads.js").Workload} */
export const headOfLine = {
  title: `side by side: a 64-byte message every ${INTERVAL_MS} ms beside bulk, 2 % loss, 40 ms round trip; latency of the small ones`,
  unit: "ms p99",
  better: "lower",
  amounts: { normal: { warmup: 3000, counted: 15_000 }, quick: { warmup: 1000, counted: 4000 } },
  rounds: 3,
  columns: { p50: "p50", most: "most", bulk: "MB/s of the bulk beside" },
  path: { delayMs: 20, loss: 0.02 },
  async send(end, { warmup, counted }, { tell }) {
    const small = await end.open();
    const bulk = await end.open();
    const make = timedMessages();
    const startMs = nowMs();
    let over = false;
    let index = 0;
    const allBulk = bulk.sendAll(() => (over ? undefined : bulkMessage(index++)));
    allBulk.catch(() => {}); // what fails it fails the process too
    let sent = 0;
    while (nowMs() - startMs < warmup + counted) {
      small.send(make(0));
      sent++;
      await sleep(Math.max(0, startMs + sent * INTERVAL_MS - nowMs()));
    }
    over = true;
    tell(sent);
  },
  receive(end, { warmup, counted }, { wholeMessages, onTold }) {
    return new Promise((resolve) => {
      /** @type {{ tookMs: number, atMs: number }[]} */
      const arrived = [];
      const check = new TimedCheck();
      const bulkCheck = new BulkCheck(wholeMessages);
      let expected = Infinity;
      let firstMs = 0;
      let bulkStart = -1;
      const finish = () => {
        if (arrived.length !== expected) return;
        const tookMs = arrived.filter(({ atMs }) => atMs - firstMs >= warmup).map((each) => each.tookMs);
        const perSecond = (bulkCheck.count - bulkStart) / (counted / 1000);
        resolve({ tookMs, bulk: (perSecond * BULK_BYTES) / MEGABYTE });
      };
      onTold((sent) => {
        expected = sent;
        finish();
      });
      let links = 0;
      end.onLink((link) => {
        let isSmall = links++ === 0;
        let started = false;
        link.onMessage((message) => {
          // Links may surface in another order than they were opened: what comes first tells them apart.
          if (!started) isSmall = message.length === SMALL_BYTES;
          started = true;
          if (!isSmall) return bulkCheck.take(message);
          const atMs = nowMs();
          firstMs ||= atMs;
          if (bulkStart < 0 && atMs - firstMs >= warmup) bulkStart = bulkCheck.count;
          arrived.push({ tookMs: atMs - check.take(message), atMs });
          finish();
        });
      });
    });
  },
  figures: (_sent, { tookMs, bulk }) => ({
    value: quantile(tookMs, 0.99),
    p50: quantile(tookMs, 0.5),
    most: Math.max(...tookMs),
    bulk,
  }),
};
