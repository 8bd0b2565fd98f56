import { appendFileSync } from "node:fs";

/** Where `npm run attacks` (scripts/attacks.js) wants to be told what honest Clients keep of their speed. Absent: it is not measured. */
const resultsPath = process.env["CONEC_ATTACKS_RESULTS"];

export const isSpeedMeasured = resultsPath !== undefined;
/** For how long it is, before, meanwhile and after. */
export const measuredMs = 2000;
/** What they must keep. */
export const leastShare = 0.8;

/** A line of the file that CONEC_ATTACKS_RESULTS names, as JSON. */
export interface SpeedReport {
  where: string;
  what: string;
  share: number;
}

export function reportSpeed(report: SpeedReport): void {
  appendFileSync(resultsPath!, `${JSON.stringify(report)}\n`);
}
