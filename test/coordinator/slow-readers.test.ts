/** Policies for streams that nobody reads. */
import { describe, expect, test } from "vitest";
import type { Channel, MessageReadable, SlowReaderPolicy, StalledStream } from "../../src/index.ts";
import { Hub, collect, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { message } from "../support/messages.ts";

/** Writes until it is told to stop. */
async function writeOn(
  channel: Channel,
  name: string,
): Promise<{ ended: Promise<unknown>; readable: () => Promise<MessageReadable> }> {
  const writer = (await channel.createUnidirectionalStream({ name, metadata: { kind: "bulk" } })).getWriter();
  const ended = rejection(
    (async () => {
      for (let i = 0; ; i += 1) await writer.write(message(i, 50_000));
    })(),
  );
  writer.closed.catch(() => {});
  return { ended, readable: () => next(channel.incomingUnidirectionalStreams) };
}

/** A stream goes through while others stand still. */
async function goesThrough(a: Channel, b: Channel): Promise<void> {
  const writable = await a.createUnidirectionalStream();
  const reading = next(b.incomingUnidirectionalStreams).then(collect);
  const writer = writable.getWriter();
  for (let i = 0; i < 100; i += 1) await writer.write(message(i, 20_000));
  await writer.close();
  expect((await reading).length).toBe(100);
}

const timedOut = {
  code: "timeout",
  source: "stream",
  message: expect.stringMatching(/^Nobody has read the stream for/),
};

describe.each([memoryKind, quicKind])("over $name", (kind) => {
  /** A stream from Alice to Bob that nobody reads, with policies of this or that party. */
  async function open(policies: { coordinator?: SlowReaderPolicy; alice?: SlowReaderPolicy; bob?: SlowReaderPolicy }) {
    const policy = (slowReaders: SlowReaderPolicy | undefined) => (slowReaders === undefined ? {} : { slowReaders });
    const hub = await Hub.start(kind, policy(policies.coordinator));
    const alice = await hub.join("alice", policy(policies.alice));
    const bob = await hub.join("bob", policy(policies.bob));
    const [a, b] = await hub.link(alice, bob);
    const { ended } = await writeOn(a, "unread");
    const readable = await next(b.incomingUnidirectionalStreams);
    return { hub, a, b, ended, readable };
  }

  test("the Coordinator ends what it forwards, at both ends, and counts it; the others go on", async () => {
    const asked: StalledStream[] = [];
    const end = (stalled: StalledStream): boolean => asked.push(stalled) > 0;
    const { hub, a, b, ended, readable } = await open({ coordinator: { timeoutMs: 200, end } });
    expect(await ended).toMatchObject({ ...timedOut, remote: true });
    expect(await rejection(collect(readable))).toMatchObject({ ...timedOut, remote: true });
    expect(asked.length).toBe(1);
    expect(asked[0]).toMatchObject({ direction: "forwarded", name: "unread", metadata: { kind: "bulk" } });
    expect([asked[0]!.from.id, asked[0]!.to.id]).toEqual(["alice", "bob"]);
    expect(asked[0]!.stalledMs).toBeGreaterThanOrEqual(200);
    expect((await hub.coordinator.getStats()).limited).toEqual({ slowReaders: 1 });
    await goesThrough(a, b);
    await hub.close();
  });

  test("a policy may let it wait", async () => {
    const asked: StalledStream[] = [];
    let enough!: () => void;
    const askedTwice = new Promise<void>((resolve) => (enough = resolve));
    const end = (stalled: StalledStream): boolean => {
      if (asked.push(stalled) === 2) enough();
      return false;
    };
    const { hub, a, b, ended, readable } = await open({ coordinator: { timeoutMs: 100, end } });
    await askedTwice;
    expect(asked[1]!.stalledMs).toBeGreaterThan(asked[0]!.stalledMs);
    await goesThrough(a, b);
    const reader = readable.getReader();
    for (let i = 0; i < 200; i += 1) expect((await reader.read()).value!.length).toBe(50_000);
    await reader.cancel("enough");
    expect(await ended).toMatchObject({ code: "cancelled", message: "enough" });
    await hub.close();
  });

  test("the reading end ends what its program does not read", async () => {
    const { hub, a, b, ended, readable } = await open({ bob: { timeoutMs: 200 } });
    expect(await ended).toMatchObject({ ...timedOut, remote: true });
    expect(await rejection(collect(readable))).toMatchObject({ ...timedOut, remote: false });
    await goesThrough(a, b);
    await hub.close();
  });

  test("the writing end ends what the far end does not read", async () => {
    const { hub, a, b, ended, readable } = await open({ alice: { timeoutMs: 200 } });
    expect(await ended).toMatchObject({ ...timedOut, remote: true });
    expect(await rejection(collect(readable))).toMatchObject(timedOut);
    await goesThrough(a, b);
    await hub.close();
  });

  test("a stream that has nothing to wait for is left alone", async () => {
    const timeoutMs = 400;
    const hub = await Hub.start(kind, { slowReaders: { timeoutMs } });
    const [alice, bob] = [await hub.join("alice", { slowReaders: { timeoutMs } }), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    const writer = (await a.createUnidirectionalStream()).getWriter();
    await writer.write(message(0, 100));
    const readable = await next(b.incomingUnidirectionalStreams);
    const start = performance.now();
    while (performance.now() - start < 2 * timeoutMs) await goesThrough(a, b);
    await writer.close();
    expect((await collect(readable)).length).toBe(1);
    await hub.close();
  });
});

test.each([0, 1.5, Number.NaN, 2 ** 31])("not a time: %d", async (timeoutMs) => {
  await expect(Hub.start(memoryKind, { slowReaders: { timeoutMs } })).rejects.toMatchObject({
    code: "invalid-argument",
  });
});
