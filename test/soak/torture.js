import { tmpdir } from "node:os";
import { Child } from "./child.js";
import { cutKinds } from "./cuts.js";
import { Random } from "./random.js";

/** @import { News } from "./child.js" */
/** @import { CutKind } from "./cuts.js" */
/** @import { TransportName } from "./ways.js" */

/**
 * @typedef {object} TortureOptions
 * @property {number} cuts
 * @property {number} bytes In each direction.
 * @property {string} seed
 * @property {boolean} isVerbose Whether cuts are printed.
 * @property {TransportName} transport
 */

/** A transfer between two Clients, both ways, in which their connections are cut, evenly spread. Resolves with what must not be. */
export class Torture {
  #options;
  #random;
  #log;
  #findings = /** @type {string[]} */ ([]);
  /** How long each took, until the Client was back. @type {Map<string, number[]>} */
  #tookMs = new Map();

  /** @param {TortureOptions} options @param {(line: string) => void} log */
  constructor(options, log) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#log = log;
  }

  /** @returns {Promise<string[]>} */
  async run() {
    const { bytes, transport } = this.#options;
    const hub = await this.#start("coordinator");
    const address = await hub.do("hub", { isIdle: true });
    const ends = await Promise.all(["alice", "bob"].map((name) => this.#start(name)));
    for (const end of ends) await end.do("transfer", { client: { id: end.name, transport }, address });
    const startedMs = performance.now();
    for (const end of ends) await end.do("start", { bytes });
    await hub.do("introduce", { ids: ends.map(({ name }) => name) });

    const transferring = Promise.all(ends.map((end) => end.do("transferred")));
    await this.#cut(ends, transferring);
    const results = await transferring;
    const seconds = (performance.now() - startedMs) / 1000;
    for (const [index, from] of ends.entries()) this.#compare(from, results[index], results[1 - index]);
    const samples = await Promise.all([hub, ...ends].map(async (child) => ({ name: child.name, ...(await child.do("sample")) })));
    for (const child of [...ends, hub]) await this.#end(child);
    this.#summarize(seconds, samples);
    return this.#findings;
  }

  /** @param {string} name */
  async #start(name) {
    const child = new Child(name, (news, { name }) => this.#hear(news, name));
    await child.do("settle", {
      seed: `${this.#options.seed} ${name}`,
      folder: tmpdir(),
      idleTimeoutMs: 600,
      resumeWindowMs: 120_000,
      pendingMs: 120_000,
      links: 0,
    });
    return child;
  }

  /** @param {News} news @param {string} name */
  #hear({ finding, note }, name) {
    if (note !== undefined && this.#options.isVerbose) this.#log(note);
    if (finding !== undefined) this.#find(`${name}: ${finding}`);
  }

  /** @param {string} finding */
  #find(finding) {
    this.#findings.push(finding);
    this.#log(`FOUND ${finding}`);
  }

  /** @param {readonly Child[]} ends @param {Promise<unknown>} transferring */
  async #cut(ends, transferring) {
    const { cuts, bytes } = this.#options;
    let reportedMs = performance.now();
    for (let number = 1; number <= cuts; number += 1) {
      const victims = this.#random.chance(0.3) ? ends : [this.#random.pick(ends)];
      const deeds = victims.map(async (victim) => {
        const kind = this.#random.pick(cutKinds);
        const tookMs = await victim.do("cut", { kind, bytes: (number / (cuts + 1)) * bytes });
        this.#took(victims.length === 1 ? kind : "both", tookMs);
      });
      await Promise.race([Promise.all(deeds), transferring]);
      if (performance.now() - reportedMs < 30_000) continue;
      reportedMs = performance.now();
      this.#log(`${number} cuts`);
    }
  }

  /** @param {CutKind | "both"} kind @param {number} ms */
  #took(kind, ms) {
    const times = this.#tookMs.get(kind) ?? [];
    this.#tookMs.set(kind, times);
    times.push(ms);
  }

  /** @param {Child} from @param {any} sender @param {any} receiver */
  #compare({ name }, sender, receiver) {
    const [sent, received] = [sender?.sent, receiver?.received];
    this.#log(`${name} sent ${JSON.stringify(sent)}, received were ${JSON.stringify(received)}`);
    if (sent === undefined || sent.messages !== received?.messages || sent.bytes !== received.bytes)
      this.#find(`What ${name} sent is not what was received`);
  }

  /** @param {Child} child */
  async #end(child) {
    const open = await child.do("close");
    if (open?.length > 0) this.#find(`${child.name}: left open: ${open.join(", ")}`);
    if (!(await child.end(15_000))) this.#find(`${child.name}: it does not end by itself`);
  }

  /** @param {number} seconds @param {any[]} samples */
  #summarize(seconds, samples) {
    const { cuts, bytes } = this.#options;
    this.#log(`${cuts} cuts, ${bytes / 1e6} MB each way in ${seconds.toFixed(1)} s`);
    for (const [kind, times] of this.#tookMs) {
      times.sort((a, b) => a - b);
      const [p50, most] = [times[times.length >> 1], times.at(-1)].map((ms) => `${Math.round(ms ?? 0)} ms`);
      this.#log(`${kind}: ${times.length} times, back in ${p50} (median), ${most} (at most)`);
    }
    for (const { name, sample, counts } of samples)
      this.#log(`${name}: RSS ${(sample.rss / 1e6).toFixed(0)} MB, ${JSON.stringify(counts)}`);
  }
}
