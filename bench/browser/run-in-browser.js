/**
 * `npm run bench -- --browser`: W1 with tabs of one Chromium at one or both ends, conec beside a WebSocket relay, in turn.
 * The relay is a process as in the other runs. Browser and relay share the machine's cores.
 */
import os from "node:os";
import { makeCertificate } from "../certificate.js";
import { keep, publish } from "../journal.js";
import { describeMachine, describeVersions } from "../machine.js";
import { hosts } from "../network.js";
import { formatNumber } from "../report.js";
import { rows } from "../rows.js";
import { run } from "../run.js";
import { mebibytes } from "../workloads/bulk.js";
import { quantile } from "../workloads/quantile.js";
import { startBrowser } from "./pages.js";

/** The WebSocket relay, conec as it is, and conec with the datagrams of an ordinary link. */
const BASELINE = "ws";
const rowNames = [BASELINE, "conec", "conec-1350"];
/** At least this many times the baseline. */
const TARGET = { row: "conec", atLeast: 1 };

/** @type {{ name: string, a: "page" | "process", b: "page" | "process" }[]} */
const directions = [
  { name: "tab to tab", a: "page", b: "page" },
  { name: "tab to Node", a: "page", b: "process" },
  { name: "Node to tab", a: "process", b: "page" },
];

/**
 * @param {{ quick: boolean, publish: boolean, peers?: string[] | undefined, runs?: string | undefined }} options
 * @returns {Promise<number>} The exit code.
 */
export async function runInBrowser({ quick, publish: isPublic, peers = rowNames, runs }) {
  const rounds = Number(runs ?? (quick ? 1 : 3));
  const amount = quick ? mebibytes(4, 16) : mebibytes(16, 96);
  const certificate = makeCertificate(hosts);
  const browser = await startBrowser();
  /** @type {{ direction: string, row: string, round: number, value: number }[]} */
  const figures = [];
  /** @type {number[]} */
  const loads = [];
  let failed = 0;
  try {
    for (const direction of directions) {
      for (let round = 1; round <= rounds; round++) {
        const chosen = rows.filter(({ name }) => rowNames.includes(name) && peers.includes(name));
        for (const row of round % 2 === 1 ? chosen : chosen.reverse()) {
          const what = `${direction.name}, round ${round} of ${rounds}: ${row.name}`;
          /** @type {import("../run.js").StartEnd} */
          const page = (name, fail) => browser.open(name, row.file, fail);
          const ends = {
            a: direction.a === "page" ? page : undefined,
            b: direction.b === "page" ? page : undefined,
          };
          try {
            const { value } = (await run(row, "W1", amount, certificate, ends)).figures;
            figures.push({ direction: direction.name, row: row.name, round, value });
            loads.push(os.loadavg()[0] ?? 0);
            console.log(`${what} ${formatNumber(value)} MB/s`);
          } catch (error) {
            failed += 1;
            console.log(`${what} FAILED: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
          }
        }
      }
    }
  } finally {
    await browser.close();
  }
  const table = summarize(figures);
  console.log(`\n${"".padEnd(14)}${"".padEnd(12)}   × ws   MB/s`);
  for (const { direction, row, ratio, median } of table) {
    const missed = row === TARGET.row && ratio < TARGET.atLeast ? `   below ${TARGET.atLeast}` : "";
    console.log(
      `${direction.padEnd(14)}${row.padEnd(12)}${ratio.toFixed(2).padStart(7)}${formatNumber(median).padStart(7)}${missed}`,
    );
  }
  const result = {
    title: "bulk with tabs of one Chromium",
    unit: "MB/s",
    date: new Date().toISOString(),
    quick,
    rounds,
    amount,
    versions: { ...describeVersions(), chromium: browser.version },
    machine: describeMachine(),
    load: { mostLoadAverage: Math.max(...loads) },
    target: TARGET,
    table,
    runs: figures,
  };
  const workloads = { W1: result };
  const where = isPublic && failed === 0 ? publish("browser", workloads) : keep("browser", { workloads });
  console.log(`\nWritten to ${where}`);
  return failed > 0 ? 1 : 0;
}

/** @param {{ direction: string, row: string, round: number, value: number }[]} figures */
function summarize(figures) {
  return directions.flatMap(({ name: direction }) =>
    rowNames.flatMap((row) => {
      const own = figures.filter((figure) => figure.direction === direction && figure.row === row);
      const ratios = own.flatMap(({ round, value }) => {
        const base = figures.find((f) => f.direction === direction && f.row === BASELINE && f.round === round);
        return base === undefined ? [] : [value / base.value];
      });
      const values = own.map(({ value }) => value);
      return own.length === 0 ? [] : [{ direction, row, ratio: quantile(ratios, 0.5), median: quantile(values, 0.5) }];
    }),
  );
}
