import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Child } from "./child.js";
import { Judge } from "./judge.js";
import { Random } from "./random.js";
import { ProcessReport, formatCounts, mostSlope } from "./report.js";

/** @import { News } from "./child.js" */
/** @import { ClientPlan } from "./process.js" */
/** @import { Address, TransportName } from "./ways.js" */

/**
 * @typedef {object} SoakOptions
 * @property {number} minutes
 * @property {string} seed
 * @property {number} clients
 * @property {number} processes Of Clients, beside the one of the Coordinator.
 * @property {boolean} isVerbose Whether cuts and the like are printed.
 * @property {TransportName[]} transports The Clients take turns with them.
 */

/** A process of Clients. @typedef {{ child: Child, report: ProcessReport, plans: ClientPlan[], lives: number }} Crowd */

/** Clients that do anything at all, until the time is over. Resolves with what must not be. */
export class Soak {
  #options;
  #random;
  #findings = /** @type {string[]} */ ([]);
  #judge = new Judge((finding) => this.#find(finding));
  #folder = mkdtempSync(join(tmpdir(), "conec-soak-"));
  /** @type {Crowd[]} */
  #crowds = [];
  /** @type {Address | undefined} */
  #address;
  #log;

  /** @param {SoakOptions} options @param {(line: string) => void} log */
  constructor(options, log) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#log = log;
  }

  /** @returns {Promise<string[]>} */
  async run() {
    const isLocal = this.#options.transports[0] === "memory";
    const hub = this.#spawn("coordinator");
    await this.#settle(hub, "coordinator");
    this.#address = await hub.do("hub", { isLocal });
    const hubReport = new ProcessReport(hub);
    const plans = this.#plans();
    if (isLocal) this.#crowds = [{ child: hub, report: hubReport, plans, lives: 0 }];
    else {
      const names = Array.from({ length: this.#options.processes }, (_, index) => index);
      this.#crowds = names.map((index) => {
        const child = this.#spawn(`clients ${index}`);
        const own = plans.filter((_, plan) => plan % names.length === index);
        return { child, report: new ProcessReport(child), plans: own, lives: 0 };
      });
    }
    await Promise.all(this.#crowds.map((crowd) => this.#begin(crowd)));
    const children = () => [...new Set([hub, ...this.#crowds.map(({ child }) => child)])];
    const reports = () => [...new Set([hubReport, ...this.#crowds.map(({ report }) => report)])];

    const untilMs = performance.now() + this.#options.minutes * 60_000;
    await Promise.all([this.#sample(reports, untilMs), isLocal ? undefined : this.#kill(untilMs)]);

    const stats = await hub.do("stats");
    await Promise.all(children().map((child) => child.do("stop")));
    const closers = isLocal ? [] : this.#crowds.map(({ child }) => this.#end(child));
    await Promise.all(closers);
    await this.#end(hub);
    this.#judge.end();
    this.#log(formatCounts(reports()));
    for (const report of reports()) this.#log(report.line(true));
    this.#log(`refused: ${JSON.stringify(stats?.refused)}, limits: ${JSON.stringify(stats?.limited)}`);
    this.#checkSlopes(reports());
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#findings;
  }

  #plans() {
    const { clients, transports } = this.#options;
    return Array.from({ length: clients }, (_, index) => {
      const transport = /** @type {TransportName} */ (transports[index % transports.length]);
      return { id: `client-${index}`, transport };
    });
  }

  /** @param {string} name */
  #spawn(name) {
    return new Child(name, (news, child) => this.#hear(news, child));
  }

  /** @param {News} news @param {Child} child */
  #hear({ finding, note, record, disturbed }, child) {
    if (note !== undefined && this.#options.isVerbose) this.#log(note);
    if (finding !== undefined) this.#find(`${child.name}: ${finding}`);
    if (record !== undefined) this.#judge.add(record);
    if (disturbed !== undefined) this.#judge.disturb(disturbed);
  }

  /** @param {string} finding */
  #find(finding) {
    this.#findings.push(finding);
    if (this.#findings.length <= mostPrinted) this.#log(`FOUND ${finding}`);
  }

  /** @param {Child} child @param {string} name */
  async #settle(child, name) {
    await child.do("settle", {
      seed: `${this.#options.seed} ${name}`,
      folder: this.#folder,
      idleTimeoutMs: 2000,
      resumeWindowMs: 60_000,
      pendingMs: Number(process.env.PENDING ?? 150_000),
      links: this.#options.clients * 2,
    });
  }

  /** @param {Crowd} crowd */
  async #begin({ child, plans, lives }) {
    if (this.#address !== undefined) await this.#settle(child, `${child.name} ${lives}`);
    await child.do("agents", { clients: plans, address: this.#address });
  }

  /** @param {() => ProcessReport[]} reports @param {number} untilMs */
  async #sample(reports, untilMs) {
    const everyMs = Math.min(10_000, this.#options.minutes * 10_000);
    for (let number = 1; performance.now() < untilMs; number += 1) {
      await pause(Math.max(0, Math.min(everyMs, untilMs - performance.now())));
      await Promise.all(reports().map((report) => report.sample()));
      if (number % 6 === 0) for (const report of reports()) this.#log(report.line(false));
    }
  }

  /** Ends a process now and then, without a word, and starts another one with the same keys. @param {number} untilMs */
  async #kill(untilMs) {
    const everyMs = Math.min(30_000, this.#options.minutes * 20_000);
    for (;;) {
      const pauseMs = everyMs * (0.5 + this.#random.next());
      if (performance.now() + pauseMs > untilMs) return;
      await pause(pauseMs);
      // Never the first one: its memory is watched.
      const crowd = this.#crowds[this.#random.between(1, this.#crowds.length - 1)];
      if (crowd === undefined) return;
      for (const { id } of crowd.plans) this.#judge.disturb(id);
      if (this.#options.isVerbose) this.#log(`${crowd.child.name} is killed`);
      await crowd.child.kill();
      crowd.lives += 1;
      crowd.child = this.#spawn(crowd.child.name);
      crowd.report.follow(crowd.child);
      await this.#begin(crowd);
      for (const { id } of crowd.plans) this.#judge.disturb(id);
    }
  }

  /** @param {Child} child */
  async #end(child) {
    const open = await child.do("close");
    if (open !== undefined && open.length > 0) this.#find(`${child.name}: left open: ${open.join(", ")}`);
    if (!(await child.end(15_000))) this.#find(`${child.name}: it does not end by itself`);
  }

  /** @param {ProcessReport[]} reports */
  #checkSlopes(reports) {
    if (this.#options.minutes < leastMinutes) return;
    for (const report of reports) {
      const rss = report.slope("rss");
      if (rss !== undefined && rss > mostSlope) this.#find(`${report.name}: RSS grows by ${rss.toFixed(2)} MB in 10 minutes`);
    }
  }
}

/** One fault has many consequences. */
const mostPrinted = 100;
/** In less time the memory of a process says little. */
const leastMinutes = 20;
