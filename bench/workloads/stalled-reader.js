import { BULK_BYTES, BulkCheck, bulkMessage } from "../messages.js";
import { sleep } from "./clock.js";

const MEGABYTE = 1e6;
const STALL_MS = 4000;
/** A peer without backpressure would take in all there is. */
const MOST_MESSAGES = (256 << 20) / BULK_BYTES;

/** @type {import("../workloads.js").Workload} */
export const stalledReader = {
  title: `stalled reader: B stops reading at its first message, for ${STALL_MS / 1000} s; how much A gets rid of meanwhile`,
  unit: "MB",
  better: "lower",
  amounts: { normal: mebibytes(64), quick: mebibytes(16) },
  rounds: 3,
  columns: { a: "MB more resident: A", r: "R", b: "B" },
  bulk: true,
  async send(end, { warmup }, { tell, onTold, residentBytes }) {
    const told = () => new Promise((resolve) => onTold(resolve));
    let over = told();
    const first = await end.open();
    let index = 0;
    await first.sendAll(() => (index < warmup ? bulkMessage(index++) : undefined));
    await over;
    const before = await residentBytes();

    const link = await end.open();
    over = told();
    let taken = 0;
    let stopped = false;
    const all = link.sendAll(() => (stopped || taken === MOST_MESSAGES ? undefined : bulkMessage(taken++)));
    await over; // B has stopped
    await sleep(STALL_MS);
    const pushed = taken;
    const after = await residentBytes();
    stopped = true;
    over = told();
    tell(0); // B goes on
    await all;
    tell(taken);
    await over;
    const grown = (/** @type {"a" | "r" | "b"} */ name) => (after[name] - before[name]) / MEGABYTE;
    return { pushed, a: grown("a"), r: grown("r"), b: grown("b") };
  },
  receive(end, { warmup }, { wholeMessages, tell, onTold }) {
    let links = 0;
    return new Promise((resolve, reject) => {
      end.onLink((link) => {
        const check = new BulkCheck(wholeMessages);
        if (links++ === 0) {
          link.onMessage((piece) => {
            check.take(piece);
            if (check.count === warmup) tell(0);
          });
          return;
        }
        if (link.pause === undefined) return reject(new Error("This peer's links cannot be paused"));
        let expected = Infinity;
        let received = 0;
        let isPaused = false;
        const finish = () => {
          if (check.count < expected) return;
          tell(check.count);
          resolve(received);
        };
        onTold((value) => {
          if (isPaused) {
            isPaused = false;
            link.resume?.();
          } else {
            expected = value;
            finish();
          }
        });
        link.onMessage((piece) => {
          check.take(piece);
          if (received === 0) {
            isPaused = true;
            link.pause?.();
            tell(0);
          }
          if (isPaused) received += piece.length; // what was on its way to the listener already
          finish();
        });
      });
    });
  },
  figures: ({ pushed, a, r, b }, received) => ({ value: (pushed * BULK_BYTES - received) / MEGABYTE, a, r, b }),
};

/** @param {number} warmup */
function mebibytes(warmup) {
  return { warmup: (warmup << 20) / BULK_BYTES, counted: 0 };
}
