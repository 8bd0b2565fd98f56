import type { QuicListenerStats } from "../../../src/transports/quic/index.ts";
import type { Violation } from "../../../src/transports/quic/violation.ts";
import type { HonestProcess } from "./honest-process.ts";
import type { LateClientProcess } from "./late-client-process.ts";
import type { VictimProcess } from "./victim-process.ts";

/** Something hostile that is done to a Coordinator while honest Clients use it. */
export interface Attack {
  name: string;
  /** Resolves when it is over. Closes what it has opened. Throws when the victim did what it must not. */
  run: (scene: Scene) => Promise<void>;
  /**
   * The victim needs so much memory for it that its allocator keeps some, in pieces. Such attacks are made once before
   * anything is measured.
   */
  isHeavy?: true;
  /** What the listener must have counted at least, and of what it must have counted nothing if it is 0. */
  counts?: Counts;
}

export interface Scene {
  victim: VictimProcess;
  honest: HonestProcess;
  /** One more honest Client, that comes when it is called. */
  late: LateClientProcess;
}

export type Counts = Partial<Record<Violation | Exclude<keyof QuicListenerStats, "violations">, number>>;
