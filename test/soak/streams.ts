/** One stream, written as it announces itself, and read by whoever gets it. Each end tells how it ended. */
import { setTimeout as pause } from "node:timers/promises";
import { ConecError } from "../../src/index.ts";
import type { Channel, MessageReadable, MessageWritable } from "../../src/index.ts";
import { isMessageOf, maxMessageBytes, messageOf } from "./content.ts";
import type { Content } from "./content.ts";
import type { Random } from "./random.ts";
import type { Ending, Witness } from "./witness.ts";

/** Who writes or reads. */
export interface Host {
  readonly id: string;
  readonly random: Random;
  readonly witness: Witness;
}

/** What a stream is going to carry; its metadata. */
export interface Plan extends Content {
  key: string;
  count: number;
  end: "close" | "abort";
}

type Outcome = Pick<Ending, "outcome" | "message">;

export function newPlan({ random, witness }: Host, mostMessages: number): Plan {
  return {
    key: witness.newKey(),
    seed: random.below(2 ** 31),
    largest: random.pick([100, 10_000, 10_000, 100_000, maxMessageBytes]),
    count: random.chance(0.1) ? 0 : random.below(mostMessages),
    end: random.chance(0.08) ? "abort" : "close",
  };
}

/** The key of the handover that a channel came of. */
export function keyOf(channel: Channel): string {
  const { key } = channel.metadata;
  return typeof key === "string" ? key : "";
}

/** Writes a stream. Never rejects. */
export async function send(channel: Channel, plan: Plan, host: Host): Promise<void> {
  const { id, witness } = host;
  const what = (): string => `${id} writing ${plan.key} to ${channel.peer.id}`;
  const outcome = await witness.watch(what, write(channel, plan, host)).catch((error: unknown) => {
    const wanted = { code: "cancelled", message: "enough", streamErrorCode: plan.seed };
    return outcomeOf(error, wanted, plan, host);
  });
  witness.ended({ side: "writer", key: plan.key, channel: keyOf(channel), who: id, ...outcome });
}

async function write(channel: Channel, plan: Plan, { random, witness }: Host): Promise<Outcome> {
  const signal = random.chance(0.05) ? AbortSignal.timeout(random.below(100)) : undefined;
  const info = { name: plan.key, metadata: { ...plan } };
  const writable = await channel.createUnidirectionalStream(signal === undefined ? info : { ...info, signal });
  witness.count("streams");
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const [isSlow, tries] = [random.chance(0.05), random.chance(0.4)];
  for (let index = 0; index < plan.count; index += 1) {
    const message = messageOf(plan, index);
    if (tries) await tryUntilTaken(writable, writer, message);
    else {
      await writer.ready;
      writer.write(message).catch(() => {});
    }
    if (isSlow && random.chance(0.2)) await pause(random.below(300));
  }
  if (plan.end === "abort") {
    await writer.abort(Object.assign(new Error("no more"), { streamErrorCode: plan.seed }));
    return { outcome: "aborted" };
  }
  // What a stream ended with is told by `closed`, and by `close` only if it ends after that was called.
  await Promise.all([writer.closed, writer.close().catch(() => {})]);
  return { outcome: "confirmed" };
}

async function tryUntilTaken(
  writable: MessageWritable,
  writer: WritableStreamDefaultWriter<unknown>,
  message: Uint8Array,
): Promise<void> {
  for (let refused = 0; !writable.tryWrite(message); refused += 1) {
    if (refused > 1000) throw new Error("tryWrite is refused, though ready has resolved, again and again");
    await writer.ready;
  }
}

/** Reads a stream, at whatever pace. Never rejects. */
export async function receive(readable: MessageReadable, channel: Channel, host: Host): Promise<void> {
  const plan = readable.metadata as unknown as Plan;
  const { id, witness } = host;
  const what = (): string => `${id} reading ${plan.key} of ${channel.peer.id}`;
  const outcome = await witness.watch(what, read(readable, plan, host)).catch((error: unknown) => {
    const wanted = {
      code: "aborted",
      message: "no more",
      streamErrorCode: plan.end === "abort" ? plan.seed : undefined,
    };
    return outcomeOf(error, wanted, plan, host);
  });
  witness.ended({ side: "reader", key: plan.key, channel: keyOf(channel), who: id, ...outcome });
}

async function read(readable: MessageReadable, plan: Plan, { id, random, witness }: Host): Promise<Outcome> {
  const cancelAt = random.chance(0.05) ? random.below(plan.count + 1) : Infinity;
  const [isSlow, polls] = [random.chance(0.1), random.chance(0.4)];
  const reader = readable.getReader();
  for (let index = 0; ; index += 1) {
    if (index === cancelAt) {
      await reader.cancel(Object.assign(new Error("enough"), { streamErrorCode: plan.seed }));
      return { outcome: "cancelled" };
    }
    const message = (polls ? readable.tryRead() : undefined) ?? (await reader.read()).value;
    if (message === undefined) {
      if (index === plan.count && plan.end === "close") return { outcome: "complete" };
      witness.find(`${id}: ${plan.key} ended after message ${index}, which is to ${plan.end} after ${plan.count}`);
      return { outcome: "complete" };
    }
    if (!isMessageOf(message, plan, index)) witness.find(`${id}: message ${index} of ${plan.key} is not what was sent`);
    witness.count("messages");
    witness.count("bytes", message.length);
    if (isSlow && random.chance(0.1)) await pause(random.below(500));
  }
}

/** If the far end has ended the stream, its word has to be the right one. */
function outcomeOf(
  error: unknown,
  wanted: { code: string; message: string; streamErrorCode: number | undefined },
  { key }: Plan,
  { id, witness }: Host,
): Outcome {
  const code = witness.codeOf(error);
  if (error instanceof ConecError && code === wanted.code) {
    const { message, streamErrorCode } = error;
    if (message !== wanted.message || streamErrorCode !== wanted.streamErrorCode)
      witness.find(`${id}: ${key} was ${code} with ${JSON.stringify({ message, streamErrorCode })}`);
  }
  return { outcome: code, message: String(error) };
}
