import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Conduct } from "../../src/core/conduct.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { coordinatorLimits } from "../../src/core/limits.ts";
import { anyControlMessage } from "./any-control-message.ts";

const limits = coordinatorLimits();
const ping: ControlMessage = { type: "ping", id: 1 };

describe("control messages", () => {
  test("200 at once, 100 a second, over all channels", () => {
    const conduct = new Conduct(limits, 0);
    const sent = Array.from({ length: 201 }, (_, i) => conduct.message(i % 3, ping, 0));
    expect(sent.indexOf("controlMessagesPerSecond")).toBe(200);
    for (let i = 1; i <= 500; i += 1) expect(conduct.message(0, ping, i * 10 + 0.001)).toBeUndefined();
    expect(conduct.message(0, ping, 5000.002)).toBe("controlMessagesPerSecond");
  });

  test("those of streams, and the close of a channel, are not counted", () => {
    const conduct = new Conduct(limits, 0);
    const free = fc
      .sample(anyControlMessage(), 20_000)
      .filter(({ type }) => ["open", "finished", "stop", "maxStreams", "received", "resumeAt", "close"].includes(type));
    expect(free.length).toBeGreaterThan(1000);
    for (const message of free) expect(conduct.message(0, message, 0)).toBeUndefined();
  });

  test("any other is", () => {
    const streams = ["open", "finished", "stop", "abort", "maxStreams", "received", "resumeAt", "close"];
    const counted = anyControlMessage().filter(({ type }) => !streams.includes(type));
    fc.assert(
      fc.property(fc.array(counted, { minLength: 3, maxLength: 3 }), (messages) => {
        const conduct = new Conduct({ ...limits, controlMessageBurst: 2 }, 0);
        expect(messages.map((message) => conduct.message(0, message, 0))).toEqual([
          undefined,
          undefined,
          "controlMessagesPerSecond",
        ]);
      }),
    );
  });

  test("open and abort, over and over", () => {
    const conduct = new Conduct(limits, 0);
    const abort = (stream: number) =>
      conduct.message(1, { type: "abort", stream, code: "aborted", reason: "" }, stream / 100);
    const verdicts = Array.from({ length: 501 }, (_, i) => {
      conduct.message(1, { type: "open", stream: 2 * i, name: "", metadata: {} }, i / 50);
      return abort(2 * i);
    });
    expect(verdicts.indexOf("abortedStreamsPerSecond")).toBe(500);
  });
});

test("requests: 8 at once, 50 in a burst, 20 a second", () => {
  const conduct = new Conduct(limits, 0);
  for (let i = 0; i < 8; i += 1) expect(conduct.beginRequest(0)).toBeUndefined();
  expect(conduct.beginRequest(0)).toBe("requestsAtOnce");
  for (let i = 0; i < 8; i += 1) conduct.endRequest();
  const ask = (nowMs: number) => {
    const overstepped = conduct.beginRequest(nowMs);
    if (overstepped === undefined) conduct.endRequest();
    return overstepped;
  };
  for (let i = 8; i < 50; i += 1) expect(ask(0)).toBeUndefined();
  expect(ask(49)).toBe("requestsPerSecond");
  for (let i = 1; i <= 100; i += 1) expect(ask(i * 50 + 0.001)).toBeUndefined();
});

test("streams: twice what a Client counts itself, whatever is over in between", () => {
  const most = 3;
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (opens) => {
      const conduct = new Conduct({ ...limits, streamsPerClient: most }, 0);
      let open = 0;
      for (const isOpen of opens) {
        if (isOpen) {
          open += 1;
          expect(conduct.streamOpened()).toBe(open > 2 * most ? "streamsPerClient" : undefined);
        } else if (open > 0) {
          open -= 1;
          conduct.streamsOver(1);
        }
      }
    }),
  );
});

test("channels taken only to be closed", () => {
  const conduct = new Conduct(limits, 0);
  const ended = { closedByIt: true, used: false, livedMs: 10 };
  for (let i = 0; i < 499; i += 1) expect(conduct.channelEnded(ended, i)).toBeUndefined();
  expect(conduct.channelEnded(ended, 500)).toBe("churnedChannels");
});
