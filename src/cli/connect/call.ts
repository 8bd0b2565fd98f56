// SPDX-License-Identifier: Apache-2.0
import * as v from "valibot";

import { ConecError } from "../../index.ts";
import type { Channel, ChannelOffer } from "../../index.ts";
import { callMetadata } from "../desk/desk-messages.ts";
import type { Output } from "../output/output.ts";
import { durationText } from "../output/quantities.ts";
import { exitCodes } from "../program/exit-codes.ts";
import { Failure } from "../program/failure.ts";
import type { Session } from "./session.ts";

/** What a channel that is offered is for; undefined when it does not come from a desk. */
export function callOf({ metadata }: ChannelOffer | Channel): { service: string; caller: string } | undefined {
  const parsed = v.safeParse(callMetadata, metadata);
  return parsed.success ? parsed.output : undefined;
}

export interface CallOptions {
  to: string;
  service: string;
  /** How long to wait for the other one. */
  waitMs: number;
  signal: AbortSignal;
  output: Output;
}

/**
 * A channel with another Client, which the session's `accept` must let in.
 *
 * @throws Failure when the other one is not there in time; ConecError; the signal's reason
 */
export async function call(session: Session, { to, service, waitMs, signal, output }: CallOptions): Promise<Channel> {
  const limit = AbortSignal.timeout(waitMs);
  const either = AbortSignal.any([signal, limit]);
  try {
    const channel = nextChannel(session, either);
    channel.catch(() => {}); // when the call fails
    await session.desk.call(to, service, {
      signal: either,
      onWaiting: () => {
        const fields = { for: to, seconds: waitMs / 1000 };
        output.note("waiting", fields, `Waiting for ${JSON.stringify(to)} for up to ${durationText(waitMs / 1000)}`);
      },
    });
    return await channel;
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    const message = `${JSON.stringify(to)} was not there within ${durationText(waitMs / 1000)} (--wait)`;
    throw new Failure(message, exitCodes.absent, "absent");
  }
}

/** The next channel that is passed to this Client. @throws ConecError; the signal's reason */
export async function nextChannel({ client }: Session, signal: AbortSignal): Promise<Channel> {
  signal.throwIfAborted();
  const reader = client.incomingChannels.getReader();
  let onAbort!: () => void;
  const aborted = new Promise<never>((_resolve, reject) => (onAbort = () => reject(signal.reason as Error)));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const { value, done } = await Promise.race([reader.read(), aborted]);
    if (!done) return value;
    const { reason } = await client.closed;
    throw new ConecError("closed", reason || "The Coordinator closed the connection", { remote: true });
  } finally {
    signal.removeEventListener("abort", onAbort);
    reader.releaseLock();
  }
}
