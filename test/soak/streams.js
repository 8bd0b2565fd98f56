/** One stream, written as it announces itself, and read by whoever gets it; each end records how it ended. */
import { setTimeout as pause } from "node:timers/promises";
import { codeOf } from "./pending.js";
import { isMessageOf, messageOf } from "./content.js";

/** @import { Channel, MessageReadable, MessageWritable } from "conec" */
/** @import { Host } from "./host.js" */

/**
 * What a stream is going to carry; its metadata.
 *
 * @typedef {{ key: string, seed: number, largest: number, count: number, end: "close" | "abort" }} Plan
 */

/**
 * Writes a stream. Never rejects.
 *
 * @param {Channel} channel
 * @param {Plan} plan
 * @param {Host} host
 */
export async function send(channel, plan, host) {
  const progress = { step: "opening", sent: 0 };
  const what = () => `${host.id}: writing ${plan.key} to ${channel.peer.id} (${progress.step}, ${progress.sent} sent)`;
  let outcome;
  try {
    outcome = await host.pending.watch(what, write(channel, plan, host, progress));
  } catch (error) {
    outcome = host.endedBy(error);
    checkCancelled(plan, error, host);
  }
  host.record({ key: plan.key, side: "writer", self: host.id, peer: channel.peer.id, outcome, step: progress.step });
}

/** @param {Channel} channel @param {Plan} plan @param {Host} host @param {{ step: string, sent: number }} progress */
async function write(channel, plan, host, progress) {
  const { random } = host;
  const signal = random.chance(0.05) ? AbortSignal.timeout(random.below(100)) : undefined;
  const info = { name: plan.key, metadata: { ...plan } };
  const writable = await channel.createUnidirectionalStream(signal === undefined ? info : { ...info, signal });
  host.count("streams");
  progress.step = "writing";
  const isSlow = random.chance(0.05);
  if (random.chance(0.2) && plan.end === "close") {
    await new ReadableStream({ pull: (controller) => pull(controller, plan, progress) }).pipeTo(writable);
    return "confirmed";
  }
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const tries = random.chance(0.4);
  for (; progress.sent < plan.count; progress.sent += 1) {
    const message = messageOf(plan, progress.sent);
    if (tries) await tryUntilTaken(writable, writer, message);
    else {
      await writer.ready;
      writer.write(message).catch(() => {});
    }
    if (isSlow && random.chance(0.2)) await pause(random.below(300));
  }
  progress.step = plan.end;
  if (plan.end === "abort") {
    await writer.abort(Object.assign(new Error("no more"), { streamErrorCode: plan.seed }));
    return "aborted";
  }
  // What a stream ended with is told by `closed`, and by `close` only if it ends after that was called.
  await Promise.all([writer.closed, writer.close().catch(() => {})]);
  return "confirmed";
}

/** @param {ReadableStreamDefaultController} controller @param {Plan} plan @param {{ sent: number }} progress */
function pull(controller, plan, progress) {
  if (progress.sent === plan.count) return controller.close();
  controller.enqueue(messageOf(plan, progress.sent));
  progress.sent += 1;
}

/** @param {MessageWritable} writable @param {WritableStreamDefaultWriter} writer @param {Uint8Array} message */
async function tryUntilTaken(writable, writer, message) {
  for (let refused = 0; !writable.tryWrite(message); refused += 1) {
    if (refused > 1000) throw new Error("tryWrite is refused, though ready has resolved, again and again");
    await writer.ready;
  }
}

/** @param {Plan} plan @param {unknown} error @param {Host} host */
function checkCancelled(plan, error, host) {
  if (codeOf(error) !== "cancelled") return;
  const { message, streamErrorCode } = /** @type {{ message: string, streamErrorCode?: number }} */ (error);
  if (message === "enough" && streamErrorCode === plan.seed) return;
  host.finding(`${plan.key} was cancelled with ${JSON.stringify({ message, streamErrorCode })}`);
}

/**
 * Reads a stream, at whatever pace. Never rejects.
 *
 * @param {MessageReadable} readable
 * @param {Channel} channel
 * @param {Host} host
 */
export async function receive(readable, channel, host) {
  const plan = /** @type {Plan} */ (/** @type {unknown} */ (readable.metadata));
  const progress = { received: 0 };
  const what = () => `${host.id}: reading ${plan.key} of ${channel.peer.id} (${progress.received} of ${plan.count})`;
  let outcome;
  try {
    outcome = await host.pending.watch(what, read(readable, plan, host, progress));
  } catch (error) {
    outcome = host.endedBy(error);
    checkAborted(plan, error, host);
  }
  if (outcome === "complete" && (progress.received !== plan.count || plan.end !== "close"))
    host.finding(`${what()} came to its end, which is to be ${plan.end}`);
  host.record({ key: plan.key, side: "reader", self: host.id, peer: channel.peer.id, outcome });
}

/** @param {MessageReadable} readable @param {Plan} plan @param {Host} host @param {{ received: number }} progress */
async function read(readable, plan, host, progress) {
  const { random } = host;
  const cancelAt = random.chance(0.05) ? random.below(plan.count + 1) : Infinity;
  const isSlow = random.chance(0.1);
  const polls = random.chance(0.4);
  const reader = readable.getReader();
  for (;;) {
    if (progress.received === cancelAt) {
      await reader.cancel(Object.assign(new Error("enough"), { streamErrorCode: plan.seed }));
      return "cancelled";
    }
    const message = (polls ? readable.tryRead() : undefined) ?? (await reader.read()).value;
    if (message === undefined) return "complete";
    if (!isMessageOf(message, plan, progress.received))
      host.finding(`${host.id}: message ${progress.received} of ${plan.key} is not what was sent (${message.length} bytes)`);
    progress.received += 1;
    host.count("messages");
    host.count("bytes", message.length);
    if (isSlow && random.chance(0.1)) await pause(random.below(500));
  }
}

/** @param {Plan} plan @param {unknown} error @param {Host} host */
function checkAborted(plan, error, host) {
  if (codeOf(error) !== "aborted") return;
  const { message, streamErrorCode } = /** @type {{ message: string, streamErrorCode?: number }} */ (error);
  if (plan.end === "abort" && message === "no more" && streamErrorCode === plan.seed) return;
  host.finding(`${plan.key}, to end by ${plan.end}, was aborted with ${JSON.stringify({ message, streamErrorCode })}`);
}
