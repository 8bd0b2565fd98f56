import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** @import { ChildProcess } from "node:child_process" */
/** @import { Record } from "./host.js" */

/** @typedef {{ finding?: string, note?: string, record?: Record, disturbed?: string, done?: number, result?: unknown }} News */

/** A process of the soak, as the runner sees it. */
export class Child {
  name;
  /** @type {ChildProcess} */
  #process;
  #exited;
  #orders = 0;
  /** @type {Map<number, (result: any) => void>} */
  #waiting = new Map();
  #isToEnd = false;

  /**
   * @param {string} name
   * @param {(news: News, child: Child) => void} onNews
   */
  constructor(name, onNews) {
    this.name = name;
    this.#process = fork(fileURLToPath(new URL("process.js", import.meta.url)), { execArgv: ["--expose-gc"] });
    this.#exited = once(this.#process, "exit");
    this.#process.on("message", (/** @type {News} */ news) => {
      if (news.done === undefined) return onNews(news, this);
      this.#waiting.get(news.done)?.(news.result);
      this.#waiting.delete(news.done);
    });
    void this.#exited.then(([code, signal]) => {
      if (!this.#isToEnd) onNews({ finding: `it ended with ${signal ?? code}` }, this);
      for (const resolve of this.#waiting.values()) resolve(undefined);
    });
  }

  /** Has it do something. Resolves with what comes of it; undefined if it has ended. @param {string} what @param {unknown} [argument] @returns {Promise<any>} */
  do(what, argument = {}) {
    this.#orders += 1;
    const id = this.#orders;
    if (!this.#process.connected) return Promise.resolve(undefined);
    this.#process.send({ do: what, id, argument });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  async kill() {
    this.#isToEnd = true;
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Lets it end by itself. False if it has to be killed. @param {number} limitMs */
  async end(limitMs) {
    this.#isToEnd = true;
    if (this.#process.connected) this.#process.disconnect();
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, limitMs, "late")));
    const first = await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (first === "late") await this.kill();
    return first !== "late";
  }
}
