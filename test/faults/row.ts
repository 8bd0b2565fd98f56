import type { RemoteClient } from "./party-process.ts";
import type { Scene, SceneOptions } from "./scene.ts";

export type KindName = "quic" | "webtransport";

/** What alice is: a Client in Node over QUIC, or in Chromium over WebTransport. Bob is in Node, always. */
export interface Kind {
  name: KindName;
  start: () => Promise<RemoteClient>;
}

/** A row of the table of faults. */
export interface Row {
  /** What befalls. */
  fault: string;
  /** What must come of it. */
  outcome: string;
  kinds: readonly KindName[];
  /** For whom it is tried in `npm test`, too. Default: all of `kinds`. */
  briefKinds?: readonly KindName[];
  /** Why it cannot be tried here; undefined if it can. */
  missing?: () => string | undefined;
  /** Tries it once. Throws when something else has come of it. */
  run: (stage: Stage) => Promise<Result>;
}

export interface Stage {
  kind: Kind;
  /** From which everything that is left to chance follows. */
  seed: number;
  /** One of two values: for `npm test`, where all must be over soon, or for `npm run faults`. */
  pick: <T>(short: T, full: T) => T;
  /** Opens a scene that is closed with the run. */
  open: (options?: SceneOptions) => Promise<Scene>;
  /** Has it closed with the run. */
  closeLater: (close: () => unknown) => void;
}

export interface Result {
  /** How long it took until the outcome was there, in milliseconds. */
  ms: number;
  /** What else was measured. */
  figures?: Record<string, number>;
}

export const everywhere: readonly KindName[] = ["quic", "webtransport"];
export const inNode: readonly KindName[] = ["quic"];

/** How much longer things may take in `npm test`, where others use the machine too. */
const busyMs = 4000;

/** Within which a loss must be known: an idle timeout and a second. */
export function lossLimitMs(stage: Stage, idleTimeoutMs: number): number {
  return idleTimeoutMs + stage.pick(busyMs, 1000);
}

/** Runs something and says how long it took. */
export async function timed<T>(run: () => Promise<T>): Promise<[ms: number, value: T]> {
  const startMs = performance.now();
  const value = await run();
  return [performance.now() - startMs, value];
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
