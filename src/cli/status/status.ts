// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";

import type { ConnectionValues } from "../connect/connection-options.ts";
import { readConnectionSettings } from "../connect/connection-settings.ts";
import { Session } from "../connect/session.ts";
import type { AnswerOf, ClientStatus } from "../desk/desk-messages.ts";
import type { Output } from "../output/output.ts";
import { durationText, rateText, table } from "../output/quantities.ts";
import type { Context } from "../program/command.ts";
import { UsageError } from "../program/failure.ts";

type Status = AnswerOf<"status">;

export interface StatusValues extends ConnectionValues {
  as: string | undefined;
  watch: boolean;
}

/** `conec status` */
export async function status(
  values: StatusValues,
  operands: readonly string[],
  { output, signal }: Context,
): Promise<void> {
  if (operands.length > 0) throw new UsageError("conec status takes no operands", "status");
  const settings = await readConnectionSettings(values);
  await using session = await Session.join(settings, { id: values.as, signal });
  const { id } = session.client;
  const { transport } = await session.client.getStats();
  let before = await session.desk.status(signal);
  do {
    await sleep(intervalMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    const now = await session.desk.status(signal);
    show({ you: id, transport, software: session.desk.welcome.software }, withRates(before, now), now, output);
    before = now;
  } while (values.watch);
}

const intervalMs = 1000;

type Rated = ClientStatus & { receivedPerSecond?: number; sentPerSecond?: number };

/** Rates, from two looks at the same Client. */
export function withRates(before: Status, now: Status): Rated[] {
  const seconds = Math.max(0.001, (now.timeMs - before.timeMs) / 1000);
  return now.clients.map((client) => {
    const old = before.clients.find(({ id, sinceMs }) => id === client.id && sinceMs === client.sinceMs);
    const rate = (name: "bytesReceived" | "bytesSent"): number | undefined => {
      const [from, to] = [old?.[name], client[name]];
      return from === undefined || to === undefined ? undefined : Math.max(0, Math.round((to - from) / seconds));
    };
    const [receivedPerSecond, sentPerSecond] = [rate("bytesReceived"), rate("bytesSent")];
    return {
      ...client,
      ...(receivedPerSecond !== undefined && { receivedPerSecond }),
      ...(sentPerSecond !== undefined && { sentPerSecond }),
    };
  });
}

function show(
  about: { you: string; transport: string; software: string },
  clients: readonly Rated[],
  { timeMs, startedMs, clientCount, channelCount, streamsForwarded, channels }: Status,
  output: Output,
): void {
  const counts = { clientCount, channelCount, streamsForwarded };
  if (output.json) return output.say("status", { ...about, startedMs, ...counts, clients, channels }, "");
  const ago = (sinceMs: number): string => durationText(Math.max(0, timeMs - sinceMs) / 1000);
  const lines = [
    `${about.software}, up for ${ago(startedMs)}; you are ${about.you}, over ${about.transport}`,
    `${clientCount} Clients, ${channelCount} channels, ${streamsForwarded} streams forwarded so far`,
    ...table([
      ["client", "transport", "here for", "rtt", "from it", "to it", "takes", "address"],
      ...clients.map((client) => [
        client.id,
        client.transport,
        ago(client.sinceMs),
        client.rttMs === undefined ? "-" : `${client.rttMs.toFixed(1)} ms`,
        client.receivedPerSecond === undefined ? "-" : rateText(client.receivedPerSecond),
        client.sentPerSecond === undefined ? "-" : rateText(client.sentPerSecond),
        client.listensFor.join(" ") || "-",
        client.host ?? "-",
      ]),
    ]),
    ...(channels.length === 0
      ? []
      : table([
          ["channel", "", "for", "open for"],
          ...channels.map(({ between: [a, b], service, sinceMs }) => [a, b, service, ago(sinceMs)]),
        ])),
  ];
  for (const line of lines) output.say("status", {}, line);
}
