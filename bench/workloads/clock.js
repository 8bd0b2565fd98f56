/** The machine's monotonic clock, which is the same in every process; in a page one of its own. */
export function nowMs() {
  return "process" in globalThis ? Number(process.hrtime.bigint()) / 1e6 : performance.now();
}

/** @param {number} ms */
export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
