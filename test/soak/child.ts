import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Deeds, Order, Report } from "./process.ts";
import type { News } from "./witness.ts";

/** What glibc's allocator has got back, the system shall get back: else RSS is what was once needed, in pieces. */
const givesBack = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "65536",
  MALLOC_MMAP_THRESHOLD_: "65536",
};

/** A process of the soak, as seen by whoever started it. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #onNews: (news: News) => void;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #orders = 0;
  #isToEnd = false;

  constructor(name: string, onNews: (news: News) => void) {
    this.name = name;
    this.#onNews = onNews;
    const path = fileURLToPath(new URL("process.mjs", import.meta.url));
    const env = { ...process.env, ...givesBack };
    this.#process = fork(path, { execArgv: ["--expose-gc", "--enable-source-maps"], env });
    this.#exited = once(this.#process, "exit").then(([code, signal]) => {
      if (!this.#isToEnd) this.#find(`ended with ${signal ?? code}`);
      for (const resolve of this.#waiting.values()) resolve(undefined);
    });
    this.#process.on("message", (report: Report) => {
      if ("finding" in report) return this.#find(report.finding);
      if (!("done" in report)) return onNews(report);
      this.#waiting.get(report.done)?.(report.result);
      this.#waiting.delete(report.done);
    });
  }

  /** Resolves with what comes of it; undefined if it fails, which is a finding. */
  async do<Name extends keyof Deeds>(
    name: Name,
    ...args: Parameters<Deeds[Name]>
  ): Promise<Awaited<ReturnType<Deeds[Name]>> | undefined> {
    if (!this.#process.connected) return undefined;
    this.#orders += 1;
    const order: Order = { id: this.#orders, name, args };
    this.#process.send(order);
    const result = new Promise((resolve) => this.#waiting.set(order.id, resolve));
    return (await result) as Awaited<ReturnType<Deeds[Name]>> | undefined;
  }

  /** Closes what it has, and lets it end by itself. */
  async close(): Promise<void> {
    const open = await this.do("close");
    if (open !== undefined && open.length > 0) this.#find(`left open: ${open.join(", ")}`);
    this.#isToEnd = true;
    if (this.#process.connected) this.#process.disconnect();
    const killing = setTimeout(() => {
      this.#find("it does not end by itself");
      this.#process.kill("SIGKILL");
    }, 15_000);
    await this.#exited;
    clearTimeout(killing);
  }

  #find(finding: string): void {
    this.#onNews({ finding: `${this.name}: ${finding}` });
  }
}
