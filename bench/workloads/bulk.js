import { BULK_BYTES, BulkCheck, bulkMessage } from "../messages.js";
import { nowMs } from "./clock.js";

const MEGABYTE = 1e6;
const MESSAGES_PER_MIB = (1 << 20) / BULK_BYTES;

/** @type {import("../workloads.js").Workload} */
export const bulk = {
  title: "bulk: 64 KiB messages A→R→B",
  unit: "MB/s",
  better: "higher",
  amounts: { normal: mebibytes(32, 256), quick: mebibytes(8, 64), slow: mebibytes(0.5, 2) },
  rounds: 5,
  bulk: true,
  async send(end, { warmup, counted }) {
    const link = await end.open();
    let index = 0;
    await link.sendAll(() => (index < warmup + counted ? bulkMessage(index++) : undefined));
  },
  receive(end, { warmup, counted }, { wholeMessages }) {
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

/**
 * @param {number} warmup
 * @param {number} counted
 */
export function mebibytes(warmup, counted) {
  return { warmup: warmup * MESSAGES_PER_MIB, counted: counted * MESSAGES_PER_MIB };
}
