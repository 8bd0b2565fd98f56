import { describe, expect, test } from "vitest";
import { PathInbox } from "../../src/core/channel-path.ts";
import type { ChannelPathReceiver } from "../../src/core/channel-path.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { ConecError } from "../../src/core/errors.ts";
import { isPending, turns } from "../streams/message-pipe.ts";

const source = { head: new Uint8Array(0), reader: new ReadableStream<Uint8Array>().getReader() };

function ping(id: number): ControlMessage {
  return { type: "ping", id };
}

/** Notes what comes; a message whose id is in `gates` is being taken until its gate opens. */
function createReceiver(gates = new Map<number, Promise<void>>()) {
  const got: string[] = [];
  const receiver: ChannelPathReceiver = {
    message: (message) => {
      const id = message.type === "ping" ? message.id : -1;
      got.push(`message ${id}`);
      return gates.get(id);
    },
    stream: (stream) => void got.push(`stream ${stream}`),
    suspended: () => void got.push("suspended"),
    resumed: () => void got.push("resumed"),
    ended: (error) => void got.push(`ended ${error?.code ?? ""}`.trim()),
  };
  return { receiver, got };
}

test("what comes before the first receiver waits in order", async () => {
  const inbox = new PathInbox();
  const first = inbox.message(ping(1));
  inbox.stream(4, 0, source);
  void inbox.message(ping(2));
  inbox.ended(new ConecError("peer-lost", "gone"));
  expect(inbox.waiting).toBe(4);
  expect(first).toBeInstanceOf(Promise);
  const { receiver, got } = createReceiver();
  inbox.attach(receiver);
  await first;
  await turns(1);
  expect(got).toEqual(["message 1", "stream 4", "message 2", "ended peer-lost"]);
  expect(inbox.waiting).toBe(0);
});

test("with a receiver everything is given out at once", () => {
  const inbox = new PathInbox();
  const { receiver, got } = createReceiver();
  inbox.attach(receiver);
  expect(inbox.message(ping(1))).toBeUndefined();
  inbox.stream(4, 0, source);
  inbox.ended();
  expect(got).toEqual(["message 1", "stream 4", "ended"]);
});

describe("while a message is being taken", () => {
  test("the sender of the message waits, and what comes behind it too", async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const inbox = new PathInbox();
    const first = Promise.resolve(inbox.message(ping(1)));
    const { receiver, got } = createReceiver(new Map([[1, gate]]));
    inbox.attach(receiver);
    const second = Promise.resolve(inbox.message(ping(2)));
    inbox.stream(4, 0, source);
    expect(await isPending(first)).toBe(true);
    expect(await isPending(second)).toBe(true);
    expect(got).toEqual(["message 1"]);
    open();
    await Promise.all([first, second]);
    await turns(1);
    expect(got).toEqual(["message 1", "message 2", "stream 4"]);
  });

  test("also when it was the only one", async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const inbox = new PathInbox();
    const { receiver, got } = createReceiver(new Map([[1, gate]]));
    inbox.attach(receiver);
    const first = Promise.resolve(inbox.message(ping(1)));
    void inbox.message(ping(2));
    inbox.ended();
    expect(await isPending(first)).toBe(true);
    expect(got).toEqual(["message 1"]);
    open();
    await first;
    await turns(1);
    expect(got).toEqual(["message 1", "message 2", "ended"]);
  });
});

test("another receiver takes over where the first was detached", async () => {
  const inbox = new PathInbox();
  const first = createReceiver();
  const second = createReceiver();
  inbox.attach(first.receiver);
  void inbox.message(ping(1));
  inbox.detach();
  const waiting = inbox.message(ping(2));
  inbox.stream(4, 0, source);
  expect(inbox.waiting).toBe(2);
  inbox.attach(second.receiver);
  await waiting;
  await turns(1);
  expect([first.got, second.got]).toEqual([["message 1"], ["message 2", "stream 4"]]);
});
