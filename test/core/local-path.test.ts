import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ChannelPath } from "../../src/core/channel-path.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { createLocalPaths } from "../../src/core/local-path.ts";

/** Answers each ping with a pong, and waits as the path would have it. Resolves with the first pong that comes. */
function answerPings(path: ChannelPath): Promise<ControlMessage> {
  return new Promise((resolve) => {
    path.attach({
      message: (message) => (message.type === "ping" ? path.send({ type: "pong", id: message.id }) : resolve(message)),
      stream() {},
      suspended() {},
      resumed() {},
      ended() {},
    });
  });
}

test("two ends that answer each other at the same time do not wait for each other", async () => {
  const [first, second] = createLocalPaths();
  const answers = [answerPings(first), answerPings(second)];
  void first.send({ type: "ping", id: 1 });
  void second.send({ type: "ping", id: 2 });
  expect(await Promise.all(answers)).toEqual([
    { type: "pong", id: 1 },
    { type: "pong", id: 2 },
  ]);
});

test("who sends to somebody who does not take it in has to wait", async () => {
  const [first, second] = createLocalPaths();
  let sent = 0;
  const sending = (async () => {
    for (; sent < 10_000; sent += 1) await first.send({ type: "ping", id: sent });
  })();
  await setImmediate();
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(10_000);
  void answerPings(second);
  void answerPings(first);
  await sending;
});
