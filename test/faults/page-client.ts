import type { Page } from "playwright-core";

import { BrowserPages } from "../browser/browser-page.ts";
import { resultOf } from "./calls.ts";
import type { Call } from "./calls.ts";
import type { RemoteClient } from "./party-process.ts";

/** A Client in a page of Chromium, over WebTransport. All of them share one Chromium, until one of them is killed. */
export class PageClient implements RemoteClient {
  static #shared: BrowserPages | undefined;
  readonly #pages: BrowserPages;
  readonly #page: Page;
  readonly #processes: readonly number[];
  #isKilled = false;

  static async open(chromiumPath: string): Promise<PageClient> {
    const pages = (PageClient.#shared ??= await BrowserPages.start(chromiumPath));
    const page = await pages.open();
    await page.evaluate(createParty);
    return new PageClient(pages, page, await pages.processes());
  }

  /** To be called once they are all closed. */
  static async closeChromium(): Promise<void> {
    await PageClient.#shared?.close();
    PageClient.#shared = undefined;
  }

  private constructor(pages: BrowserPages, page: Page, processes: readonly number[]) {
    this.#pages = pages;
    this.#page = page;
    this.#processes = processes;
  }

  call: RemoteClient["call"] = async (method, ...args) => {
    const call: Call = { method, args };
    const answer = await this.#page.evaluate((call) => conec.carryOut(tab.party, call), call);
    // oxlint-disable-next-line typescript/no-explicit-any -- what a method gives is known to its caller only
    return resultOf(answer) as any;
  };

  /** All of Chromium is killed. */
  async kill(): Promise<void> {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#signal("SIGKILL");
    PageClient.#shared = undefined;
    await this.#pages.close();
  }

  pause(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  async close(): Promise<void> {
    if (!this.#isKilled) await this.#page.close();
  }

  #signal(signal: NodeJS.Signals): void {
    for (const id of this.#processes) process.kill(id, signal);
  }
}

/** Runs in the page. */
function createParty(): void {
  const party = new conec.ClientParty(({ hash }) =>
    conec.webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value: Uint8Array.from(hash) }] }),
  );
  globalThis.tab = { party } as typeof tab;
}
