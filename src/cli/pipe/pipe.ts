// SPDX-License-Identifier: Apache-2.0
import type { Channel, CloseInfo, MessageReadable } from "../../index.ts";
import { ConecError } from "../../index.ts";
import { call, callOf, nextChannel } from "../connect/call.ts";
import type { ConnectionValues } from "../connect/connection-options.ts";
import { parseSeconds, readConnectionSettings } from "../connect/connection-settings.ts";
import { Session } from "../connect/session.ts";
import { closeCodes, whyEnded } from "../connect/why-ended.ts";
import type { Context } from "../program/command.ts";
import { UsageError } from "../program/failure.ts";
import { bytesText } from "../output/quantities.ts";

/** The protocol: each end opens one stream of this name; its messages are bytes, and its end is that of the input. */
const pipeProtocol = "conec-pipe/1";

export interface PipeValues extends ConnectionValues {
  as: string | undefined;
  to: string | undefined;
  wait: string | undefined;
}

/** `conec pipe` */
export async function pipe(values: PipeValues, operands: readonly string[], context: Context): Promise<void> {
  const { as, to } = values;
  const { output, signal } = context;
  if (operands.length > 0) throw new UsageError("conec pipe takes no operands", "pipe");
  if (as === undefined) throw new UsageError("Under which name does the other one find you? Give --as NAME", "pipe");
  if (output.json) throw new UsageError("--json is not for pipe, whose output is that of the other end", "pipe");
  const waitMs = parseSeconds("--wait", values.wait ?? (to === undefined ? "2000000" : "60"));
  const settings = await readConnectionSettings(values);
  try {
    await using session = await Session.join(settings, {
      id: as,
      accept: (offer) => callOf(offer)?.service === pipeProtocol && (to === undefined || offer.peer.id === to),
      reconnect: true,
      signal,
    });
    const channel =
      to === undefined
        ? await answered(session, waitMs, context)
        : await call(session, { to, service: pipeProtocol, waitMs, signal, output });
    output.note("connected", { with: channel.peer.id }, `Connected with ${JSON.stringify(channel.peer.id)}`);
    await connect(channel, context);
  } finally {
    process.stdin.destroy();
  }
}

/** Waits for the first one who calls. */
async function answered(session: Session, waitMs: number, { output, signal }: Context): Promise<Channel> {
  await session.desk.listen(pipeProtocol, { once: true, signal });
  const id = JSON.stringify(session.client.id);
  output.note("listening", { id: session.client.id }, `Waiting for somebody who calls ${id}`);
  return await nextChannel(session, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]));
}

/** Both directions, until both have ended. */
async function connect(channel: Channel, { signal, output }: Context): Promise<void> {
  let onAbort!: () => void;
  const aborted = new Promise<never>((_resolve, reject) => (onAbort = () => reject(signal.reason as Error)));
  signal.addEventListener("abort", onAbort, { once: true });
  let closing: CloseInfo = { closeCode: closeCodes.interrupted, reason: "The other end of the pipe was ended" };
  try {
    const [sent, received] = await Promise.race([Promise.all([sendInput(channel), writeOutput(channel)]), aborted]);
    closing = { closeCode: closeCodes.done, reason: "done" };
    const text = `${bytesText(sent)} sent, ${bytesText(received)} received`;
    output.note("done", { bytesSent: sent, bytesReceived: received }, text);
  } catch (error) {
    signal.throwIfAborted();
    throw await whyEnded(channel, error);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await channel.close({ ...closing, signal: AbortSignal.timeout(closeTimeoutMs) }).catch(() => {});
  }
}

async function sendInput(channel: Channel): Promise<number> {
  const writer = (await channel.createUnidirectionalStream({ name: pipeProtocol })).getWriter();
  writer.closed.catch(() => {});
  let bytes = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      await writer.write(chunk);
      bytes += chunk.length;
    }
    await writer.close();
    return bytes;
  } catch (error) {
    writer.abort(error).catch(() => {});
    throw error;
  }
}

async function writeOutput(channel: Channel): Promise<number> {
  let bytes = 0;
  for await (const message of await firstStream(channel)) {
    bytes += message.length;
    // The next message is read when this one has been taken.
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(message, (error) => (error ? reject(error) : resolve()));
    });
  }
  return bytes;
}

async function firstStream(channel: Channel): Promise<MessageReadable> {
  const reader = channel.incomingUnidirectionalStreams.getReader();
  try {
    const { value, done } = await reader.read();
    if (!done && value.name === pipeProtocol) return value;
    throw new ConecError("protocol-error", "The other end does not speak as a pipe does", { source: "channel" });
  } finally {
    reader.releaseLock();
  }
}

const closeTimeoutMs = 2000;
