import { Child } from "./child.ts";
import { Random } from "./random.ts";
import type { Teller } from "./soak.ts";
import type { TransportName } from "./way.ts";

export interface TortureOptions {
  cuts: number;
  /** In each direction. */
  bytes: number;
  seed: number;
  transport: TransportName;
}

/** A transfer between two Clients, both ways, in which the connections of either or both are cut, evenly spread. */
export async function torture(options: TortureOptions, { log, find }: Teller): Promise<void> {
  const { cuts, bytes, seed, transport } = options;
  const start = (name: string): Child => new Child(name, (news) => "finding" in news && find(news.finding));
  const settings = {
    seed,
    idleTimeoutMs: 1000,
    resumeWindowMs: 60_000,
    reconnect: { firstDelayMs: 5, maxDelayMs: 200 },
  };
  const hub = start("coordinator");
  const address = (await hub.do("hub", settings, 0))!;
  const ends = [start("alice"), start("bob")] as const;
  for (const end of ends) await end.do("transfer", settings, { id: end.name, transport }, address, bytes);
  const startedMs = performance.now();
  if ((await hub.do("introduce", "alice", "bob")) === undefined) throw new Error("They were not introduced");

  const transferring = Promise.all(
    ends.map(async (end) => (await end.do("transferred")) ?? Promise.reject(new Error(`${end.name} has failed`))),
  );
  const failing = new Promise<never>((_, reject) => void transferring.catch(reject));
  const tookMs = new Map<string, number[]>();
  const random = new Random(seed, "cuts");
  let done = 0;
  const cut = async (end: Child, number: number): Promise<void> => {
    const { kind, tookMs: ms } = (await end.do("cut", (number / (cuts + 1)) * bytes))!;
    tookMs.set(kind, [...(tookMs.get(kind) ?? []), ms]);
    done += 1;
  };
  for (let reportedMs = startedMs, number = 1; number <= cuts; number += 1) {
    const victims = random.chance(0.3) ? ends : [random.pick(ends)];
    // If the transfer has failed, nothing comes any more that the cut waits for.
    await Promise.race([Promise.all(victims.map((victim) => cut(victim, number))), failing]);
    if (performance.now() - reportedMs < 60_000) continue;
    reportedMs = performance.now();
    log(`${number} of ${cuts}`);
  }
  const [alice, bob] = await transferring;
  const seconds = (performance.now() - startedMs) / 1000;
  for (const [name, sent, received] of [
    ["alice", alice!.sent, bob!.received],
    ["bob", bob!.sent, alice!.received],
  ] as const) {
    log(`${name} sent ${JSON.stringify(sent)}, received were ${JSON.stringify(received)}`);
    if (JSON.stringify(sent) !== JSON.stringify(received)) find(`What ${name} sent is not what was received`);
  }
  for (const child of [hub, ...ends]) {
    const sample = await child.do("sample");
    log(`${child.name}: RSS ${((sample?.rss ?? NaN) / 1e6).toFixed(0)} MB, ${JSON.stringify(sample?.counts)}`);
    if (sample?.counts["not resumed"] !== undefined) find(`${child.name} was not resumed`);
  }
  for (const child of [...ends, hub]) await child.close();

  log(`${cuts} times, ${done} connections were cut while ${bytes / 1e6} MB went each way in ${seconds.toFixed(1)} s`);
  for (const [kind, times] of tookMs) {
    times.sort((a, b) => a - b);
    const [median, most] = [times[times.length >> 1], times.at(-1)].map((ms) => `${Math.round(ms ?? NaN)} ms`);
    log(`${kind}: ${times.length} times, over and back after ${median} (median), ${most} (at most)`);
  }
}
