import { afterEach, expect, test } from "vitest";

import { jsonLogger, logTo } from "../../src/observe/index.ts";
import type { LogFields } from "../../src/observe/index.ts";
import { LogThrottle } from "../../src/observe/log-throttle.ts";
import { Hub, memoryKind, rejection } from "../support/hub.ts";

let hub: Hub | undefined;
afterEach(() => hub?.close());

test("what happens, with who and why, and neither metadata nor credentials", async () => {
  hub = await Hub.start(memoryKind, {
    authenticate: ({ requestedId }) => {
      if (requestedId === "mallory") throw new Error("Not you");
      return { metadata: { secret: "of alice" } };
    },
  });
  const records: [string, string, LogFields][] = [];
  const closed = new Promise<void>((resolve) => {
    const take = (level: string) => (message: string, fields: LogFields) => {
      records.push([level, message, fields]);
      if (message === "Client left") resolve();
    };
    logTo(hub!.coordinator, { info: take("info"), warn: take("warn") });
  });
  const alice = await hub.join("alice", { credentials: { token: "secret" } });
  await rejection(hub.join("mallory", { credentials: { token: "secret" } }));
  const bob = await hub.join("bob");
  const [toBob] = await hub.link(alice, bob, { secret: "of both" });
  await toBob.close({ reason: "done" });
  await bob.close();
  await closed;

  expect(records.map(([level, message]) => `${level}: ${message}`)).toEqual([
    "info: Client joined",
    "warn: Connection refused",
    "info: Client joined",
    "info: Channel opened",
    "info: Channel closed",
    "info: Client left",
  ]);
  expect(records[0]![2]).toMatchObject({ "conec.client.id": "alice", "conec.transport": "memory" });
  expect(records[1]![2]).toMatchObject({ "error.type": "refused", "error.message": "Not you" });
  expect(records[4]![2]).toMatchObject({ "conec.between": ["alice", "bob"], "conec.reason": "done", "conec.bytes": 0 });
  expect(JSON.stringify(records)).not.toMatch("secret");
});

test("lines of JSON: a hostile id stays within its line and its field", async () => {
  hub = await Hub.start(memoryKind);
  const lines: string[] = [];
  const stop = logTo(
    hub.coordinator,
    jsonLogger((line) => lines.push(line)),
  );
  const id = `","level":"error","message":"\\u000a all is lost`;
  await hub.join(id);
  stop();
  await hub.join("later");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]+\n$/);
  const record = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect(record).toMatchObject({ level: "info", message: "Client joined", "conec.client.id": id });
  expect(new Date(record["time"] as string).toISOString()).toBe(record["time"]);
});

test("a flood is told in part, and how much of it was not", () => {
  const throttle = new LogThrottle();
  const told = Array.from({ length: 1000 }, () => throttle.admit("refused", 0)).filter((each) => each !== undefined);
  expect(told).toHaveLength(100);
  expect(throttle.admit("joined", 0)).toBe(0);
  expect(throttle.admit("refused", 40)).toBeUndefined();
  expect(throttle.admit("refused", 50)).toBe(901);
  expect(throttle.admit("refused", 51)).toBeUndefined();
});
