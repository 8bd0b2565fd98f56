/** Datagrams that are lost, overtaken, doubled and spoiled. Alice's path and bob's have it both, in both directions. */
import { expect } from "vitest";

import type { Conditions } from "../../support/network/path-model.js";
import { everywhere, timed } from "../row.ts";
import type { Result, Row, Stage } from "../row.ts";

interface Transfer {
  /** Messages each way: in short, in full. */
  counts: [number, number];
  longestGapMs: number;
  /** With Chromium, in short: see "What is left" in docs/reliability.md, of the engine's round-trip time. */
  longestGapMsInPages?: number;
  /** What is the same on both paths. */
  conditions: Conditions;
  /** What is on alice's path in place of that. */
  alice?: Conditions;
}

/** Round trips of 20 ms between each Client and the Coordinator, if nothing else is said. */
const delayMs = 10;
const longestGapMs = 10_000;

/**
 * @param transfer both ways at once, of messages of up to 4 KB
 * @param briefKinds "all of it at once" stands for the rest
 */
function row(fault: string, outcome: string, transfer: Transfer, briefKinds: Row["kinds"] = []): Row {
  return { fault, outcome, kinds: everywhere, briefKinds, run: (stage) => run(stage, transfer) };
}

async function run(stage: Stage, transfer: Transfer): Promise<Result> {
  const { counts, conditions, alice, longestGapMs, longestGapMsInPages = longestGapMs } = transfer;
  const scene = await stage.open({ alice: alice ?? conditions, bob: conditions });
  await scene.link();
  const [ms, received] = await timed(async () => {
    await scene.startFlows({ maxBytes: 4000, count: stage.pick(...counts) });
    return await scene.flowsEnded();
  });
  const gapMs = Math.max(...received.map((flow) => flow.longestGapMs));
  const isPage = stage.kind.name === "webtransport";
  expect(gapMs).toBeLessThan(isPage ? stage.pick(longestGapMsInPages, longestGapMs) : longestGapMs);
  const bytes = received.reduce((sum, flow) => sum + flow.bytes, 0);
  return { ms, figures: { gapMs, kBPerS: bytes / ms } };
}

function lossRow(percent: number, counts: [number, number]): Row {
  const conditions = { delayMs, loss: percent / 100 };
  return row(`loss of ${percent} % both ways`, "complete and in order, no gap over 10 s", {
    counts,
    longestGapMs,
    conditions,
  });
}

export const lossRows: readonly Row[] = [
  lossRow(1, [200, 2000]),
  lossRow(5, [100, 1000]),
  lossRow(10, [50, 500]),
  lossRow(20, [25, 150]),
  row(
    "loss of 5 % both ways and a round trip of 40 ms",
    "complete and in order, no stall above 2 s",
    {
      counts: [100, 1000],
      longestGapMs: 2000,
      longestGapMsInPages: longestGapMs,
      conditions: {},
      alice: { delayMs: 20, loss: 0.05 },
    },
    everywhere,
  ),
  row("20 % overtaken (by up to 10 ms)", "complete", {
    counts: [200, 2000],
    longestGapMs,
    conditions: { delayMs, reorder: 0.2, reorderMs: 10 },
  }),
  row("5 % doubled", "complete", { counts: [200, 2000], longestGapMs, conditions: { delayMs, duplicate: 0.05 } }),
  row("a bit changed in 1 %", "complete", {
    counts: [200, 2000],
    longestGapMs,
    conditions: { delayMs, corrupt: 0.01 },
  }),
  row("jitter of 30 ms", "complete", { counts: [200, 2000], longestGapMs, conditions: { delayMs, jitterMs: 30 } }),
  row(
    "all of it at once, with 1 % lost",
    "complete",
    {
      counts: [100, 1000],
      longestGapMs,
      conditions: { delayMs, jitterMs: 30, loss: 0.01, reorder: 0.2, duplicate: 0.05, corrupt: 0.01 },
    },
    everywhere,
  ),
  row("a narrow path (1 MB/s, 64 KiB of queue)", "complete", {
    counts: [200, 1500],
    longestGapMs,
    conditions: {},
    alice: { delayMs, bytesPerSecond: 1_000_000 },
  }),
];
