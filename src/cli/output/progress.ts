// SPDX-License-Identifier: Apache-2.0
import type { Output } from "./output.ts";
import { bytesText, durationText, rateText } from "./quantities.ts";

/** How far something has come: a bar on a terminal, a line now and then elsewhere, events with `--json`. */
export class Progress {
  /** Bytes that are to come, as far as known. */
  totalBytes: number | undefined;
  readonly #output: Output;
  readonly #label: string;
  readonly #startedMs = performance.now();
  #bytes = 0;
  /** Of these, what had been there before. */
  #resumedBytes = 0;
  #shownMs: number;
  #shownTenth = 0;

  constructor(output: Output, label: string, totalBytes?: number) {
    this.#output = output;
    this.#label = label;
    this.totalBytes = totalBytes;
    this.#shownMs = this.#startedMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  /** Bytes moved a second, so far. */
  get rate(): number {
    return (this.#bytes - this.#resumedBytes) / Math.max(0.001, this.seconds);
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#show();
  }

  /** Bytes that need not be moved, because they are there; fewer than none when they turn out to be of no use. */
  skip(bytes: number): void {
    this.#resumedBytes += bytes;
    this.#bytes += bytes;
  }

  /** Takes the bar away. */
  end(): void {
    this.#output.setStatus("");
  }

  #show(): void {
    const nowMs = performance.now();
    const total = this.totalBytes;
    if (nowMs - this.#shownMs < (this.#output.isLive ? 100 : 1000)) return;
    this.#shownMs = nowMs;
    if (this.#output.isLive) return this.#output.setStatus(this.#bar());
    const tenth = total === undefined ? Math.floor(this.seconds / 10) : Math.floor((this.#bytes / total) * 10);
    const fields = { bytes: this.#bytes, bytesPerSecond: Math.round(this.rate) };
    if (this.#output.json)
      this.#output.event("progress", { ...fields, ...(total !== undefined && { totalBytes: total }) });
    else if (tenth > this.#shownTenth) this.#output.note("progress", fields, `${this.#label}: ${this.#figures()}`);
    this.#shownTenth = Math.max(tenth, this.#shownTenth);
  }

  #bar(): string {
    const figures = this.#figures();
    if (!this.totalBytes) return `${this.#label}  ${figures}`;
    const width = Math.max(10, Math.min(40, this.#output.columns - figures.length - this.#label.length - 8));
    const filled = Math.min(width, Math.round((this.#bytes / this.totalBytes) * width));
    return `${this.#label} [${"#".repeat(filled)}${" ".repeat(width - filled)}] ${figures}`;
  }

  #figures(): string {
    const moved = `${bytesText(this.#bytes)}  ${rateText(this.rate)}`;
    if (!this.totalBytes) return moved;
    const left = (this.totalBytes - this.#bytes) / Math.max(1, this.rate);
    const share = Math.min(100, Math.floor((this.#bytes / this.totalBytes) * 100));
    return `${String(share).padStart(3)} %  ${moved}${left > 0 && left < 360_000 ? `  ${durationText(left)} left` : ""}`;
  }
}
