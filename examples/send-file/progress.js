/** A progress bar on a terminal; a line every tenth of the way elsewhere. */
export class Progress {
  #total;
  #tenth = 0;
  #startMs = performance.now();

  /** @param {number} total bytes */
  constructor(total) {
    this.#total = total;
  }

  /** @param {number} bytes so far */
  show(bytes) {
    const share = this.#total === 0 ? 1 : bytes / this.#total;
    const rate = bytes / 1e3 / Math.max(1, performance.now() - this.#startMs);
    const text = `${String(Math.floor(share * 100)).padStart(3)} %  ${(bytes / 1e6).toFixed(1)} MB  ${rate.toFixed(0)} MB/s`;
    if (process.stdout.isTTY) {
      const width = Math.max(10, Math.min(50, (process.stdout.columns ?? 80) - text.length - 4));
      const filled = Math.round(share * width);
      process.stdout.write(`\r[${"#".repeat(filled)}${" ".repeat(width - filled)}] ${text}\x1b[K`);
    } else if (Math.floor(share * 10) > this.#tenth) {
      this.#tenth = Math.floor(share * 10);
      console.log(text);
    }
  }

  end() {
    if (process.stdout.isTTY) process.stdout.write("\n");
  }
}
