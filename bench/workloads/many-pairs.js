import { TimedCheck, timedMessages } from "../messages.js";
import { nowMs, sleep } from "./clock.js";
import { quantile } from "./quantile.js";

/** Of all pairs together: 10 a second from each of 1000 pairs. */
const MESSAGES_PER_SECOND = 10_000;
const STEPS = [10, 100, 1000];
/** So many at once, that those who wait for each other do not all wait in one line. */
const CONNECT_AT_ONCE = 8;
const MICROSECONDS = 1e6;
/** What has not come after so long a silence will not. */
const PATIENCE_MS = 10_000;

/**
 * As many messages a second whatever the number of pairs, spread evenly over time and pairs: what differs is the number
 * of Clients and channels only.
 * @type {import("../workloads.js").Workload}
 */
export const manyPairs = {
  title: `many pairs: ${MESSAGES_PER_SECOND} messages/s of 64 bytes over 10, 100 and 1000 pairs of Clients; latency at 1000`,
  unit: "ms p99",
  better: "lower",
  amounts: { normal: { warmup: 1000, counted: 5000 }, quick: { warmup: 500, counted: 1500 } },
  rounds: 3,
  columns: {
    p50: "p50",
    cpu10: "µs CPU at R a message: 10",
    cpu100: "100",
    cpu1000: "1000 pairs",
    flat: "1000 ÷ 10",
  },
  async send(end, { warmup, counted }, { connect, relayUse, tell, onTold }) {
    const ends = [end];
    /** @type {import("../peers.js").Link[]} */
    const links = [];
    /** @type {Record<string, number>} */
    const cpu = {};
    const make = timedMessages();
    let all = 0;
    for (const pairs of STEPS) {
      const ready = new Promise((resolve) => onTold(resolve));
      tell(pairs);
      await connectUpTo(pairs, ends, connect);
      await ready;
      while (links.length < pairs)
        links.push(await /** @type {import("../peers.js").End} */ (ends[links.length]).open());
      all += await sendEvenly(links, make, warmup);
      const before = (await relayUse()).cpuSeconds;
      const sent = await sendEvenly(links, make, counted);
      all += sent;
      cpu[`cpu${pairs}`] = (((await relayUse()).cpuSeconds - before) * MICROSECONDS) / sent;
    }
    tell(-all);
    return cpu;
  },
  receive(end, { counted }, { connect, tell, onTold }) {
    const ends = [end];
    /** @type {number[]} Of all, in the order of arrival. */
    const tookMs = [];
    let lastMs = nowMs();
    const listenTo = (/** @type {import("../peers.js").End} */ each) => {
      const check = new TimedCheck();
      each.onLink((link) => link.onMessage((message) => void tookMs.push((lastMs = nowMs()) - check.take(message))));
    };
    listenTo(end);
    return new Promise((resolve, reject) => {
      // How many pairs are to be there; in the end how many messages, as a negative number.
      onTold((pairs) => {
        const step = async () => {
          if (pairs < 0) {
            while (tookMs.length < -pairs && nowMs() - lastMs < PATIENCE_MS) await sleep(20);
            if (tookMs.length !== -pairs) throw new Error(`${tookMs.length} of ${-pairs} messages arrived`);
            resolve(tookMs.slice(-(MESSAGES_PER_SECOND * counted) / 1000));
          } else {
            const known = ends.length;
            await connectUpTo(pairs, ends, connect);
            for (const each of ends.slice(known)) listenTo(each);
            tell(pairs);
          }
        };
        step().catch(reject);
      });
    });
  },
  figures(cpu, /** @type {number[]} */ tookMs) {
    const latency = { value: quantile(tookMs, 0.99), p50: quantile(tookMs, 0.5) };
    return { ...latency, ...cpu, flat: cpu.cpu1000 / cpu.cpu10 };
  },
};

/**
 * @param {number} pairs
 * @param {import("../peers.js").End[]} ends
 * @param {(pair: number) => Promise<import("../peers.js").End>} connect
 */
async function connectUpTo(pairs, ends, connect) {
  while (ends.length < pairs) {
    const next = Array.from({ length: Math.min(CONNECT_AT_ONCE, pairs - ends.length) }, (_, i) => ends.length + i);
    ends.push(...(await Promise.all(next.map(connect))));
  }
}

/**
 * One message after the other, each on the next link, at an even pace.
 * @param {import("../peers.js").Link[]} links
 * @param {(flow: number) => Uint8Array} make
 * @param {number} ms
 */
async function sendEvenly(links, make, ms) {
  const startMs = nowMs();
  const all = (ms / 1000) * MESSAGES_PER_SECOND;
  for (let sent = 0; sent < all; await sleep(1)) {
    const due = Math.min(all, ((nowMs() - startMs) / 1000) * MESSAGES_PER_SECOND);
    for (; sent < due; sent++) {
      const place = sent % links.length;
      links[place]?.send(make(place));
    }
  }
  return all;
}
