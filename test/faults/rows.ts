/** The table of faults, in the order of docs/reliability.md. */
import type { Row } from "./row.ts";
import { certificateRows } from "./rows/certificates.ts";
import { clockRows } from "./rows/clocks.ts";
import { crowdRows } from "./rows/crowds.ts";
import { deathRows } from "./rows/deaths.ts";
import { lossRows } from "./rows/losses.ts";
import { pathRows } from "./rows/paths.ts";
import { readerRows } from "./rows/readers.ts";
import { silenceRows } from "./rows/silences.ts";
import { socketRows } from "./rows/sockets.ts";

export const rows: readonly Row[] = [
  ...deathRows,
  ...lossRows,
  ...pathRows,
  ...silenceRows,
  ...clockRows,
  ...readerRows,
  ...crowdRows,
  ...certificateRows,
  ...socketRows,
];
