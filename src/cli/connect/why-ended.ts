// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";

import { ConecError } from "../../index.ts";
import type { Channel, CloseInfo } from "../../index.ts";

/** How the command line closes channels between Clients. After `failed` it is of no use to try again. */
export const closeCodes = { done: 0, failed: 1, interrupted: 2 } as const;

/** Why a channel ended: that says more than that a stream of it did, and comes a moment later. */
export async function whyEnded(channel: Channel, error: unknown): Promise<unknown> {
  if (!(error instanceof ConecError) || error.code !== "closed") return error;
  const closed = channel.closed.catch((why: ConecError) => why);
  const ended: CloseInfo | ConecError | undefined = await Promise.race([
    closed,
    sleep(graceMs, undefined, { ref: false }),
  ]);
  if (ended === undefined || ended instanceof ConecError) return ended ?? error;
  if (ended.reason === "") return error;
  const code = ended.closeCode === closeCodes.failed ? "refused" : "closed";
  return new ConecError(code, ended.reason, { source: "channel", remote: true, cause: error });
}

const graceMs = 500;
