/** What a Coordinator does with those who want too much, and that nobody else notices, over every transport. */
import { describe, expect, test } from "vitest";
import { Client, Coordinator } from "../../src/index.ts";
import type { Channel, Connection } from "../../src/index.ts";
import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import { collect, Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { controlStreamOn, joinByHand, openControlStream } from "../support/join-by-hand.ts";

describe.each([memoryKind, quicKind])("limits over $name", (kind) => {
  test("many join at once from one address, and all get in", async () => {
    const hub = await Hub.start(kind);
    await Promise.all(Array.from({ length: 100 }, () => hub.join()));
    const { clients, refused, limited } = await hub.coordinator.getStats();
    expect({ clients, refused }).toEqual({ clients: 100, refused: {} });
    expect(Object.keys(limited).filter((name) => name !== "pendingPerSource")).toEqual([]);
    await hub.close();
  });

  test("more than `pendingPerSource` of one address wait until it is their turn, and are not read", async () => {
    const asked: { id: string | undefined; decide: () => void }[] = [];
    const hub = await Hub.start(kind, {
      limits: { pendingPerSource: 2 },
      authenticate: ({ requestedId: id }) => new Promise((decide) => asked.push({ id, decide: () => decide({ id }) })),
    });
    const joining = [];
    for (const id of ["a", "b", "c", "d"]) {
      joining.push(hub.join(id));
      await until(async () => (await hub.coordinator.getStats()).pending === joining.length);
    }
    await until(() => asked.length === 2);
    expect(new Set(asked.map(({ id }) => id))).toEqual(new Set(["a", "b"]));
    expect((await hub.coordinator.getStats()).limited).toEqual({ pendingPerSource: 2 });
    asked[0]!.decide();
    await until(() => asked.length === 3);
    asked[2]!.decide();
    await until(() => asked.length === 4);
    expect(asked.slice(2).map(({ id }) => id)).toEqual(["c", "d"]);
    for (const { decide } of asked) decide();
    await Promise.all(joining);
    await hub.close();
  });

  test("who waits too long for its turn is told so", async () => {
    const hub = await Hub.start(kind, {
      limits: { pendingPerSource: 1, authenticateTimeoutMs: 300 },
      authenticate: () => new Promise(() => {}),
    });
    const first = rejection(hub.join("first"));
    await until(async () => (await hub.coordinator.getStats()).pending === 1);
    const second = hub.join("second");
    expect(await rejection(second)).toMatchObject({ code: "timeout", remote: true });
    expect(await first).toMatchObject({ code: "timeout", remote: true });
    await hub.close();
  });

  test("one source that fills the line makes room for itself only by leaving", async () => {
    const hub = await Hub.start(kind, { limits: { maxPending: 4 }, authenticate: () => new Promise(() => {}) });
    const silent = [];
    for (let i = 0; i < 4; i += 1) silent.push(await hub.transport.connect(hub.url));
    await until(async () => (await hub.coordinator.getStats()).pending === 4);
    expect(await rejection(hub.join("more"))).toMatchObject({ code: "limit-exceeded", remote: true });
    expect(await hub.coordinator.getStats()).toMatchObject({
      pending: 4,
      refused: { "limit-exceeded": 1 },
      limited: { maxPending: 1 },
    });
    for (const connection of silent) connection.close();
    await until(async () => (await hub.coordinator.getStats()).pending === 0);
    await hub.close();
  });

  test("what is said before a Client is let in is bounded", async () => {
    const hub = await Hub.start(kind);
    const connection = await hub.transport.connect(hub.url);
    const control = await openControlStream(connection);
    const long = "x".repeat(20_000);
    void control.send({ type: "hello", versions: [1], long } as never);
    await control.expect(["challenge"], 5000);
    const publicKey = "ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg" as const;
    const identify = { type: "identify" as const, publicKey, authority: "localhost", certificateHashes: [] };
    void control.send({ ...identify, credentials: long });
    expect(await control.expect(["refuse"], 5000)).toMatchObject({ code: "limit-exceeded" });
    await connection.closed.catch(() => {});
    expect((await hub.coordinator.getStats()).limited).toEqual({ joiningBytes: 1 });
    await hub.close();
  });

  test("what Clients ask for: so many are decided at once, the rest is refused, and their channels go on", async () => {
    const decisions: (() => void)[] = [];
    const hub = await Hub.start(kind, {
      limits: { requestsAtOnce: 2 },
      authorize: () => new Promise((resolve) => decisions.push(() => resolve(true))),
    });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    const [via] = await hub.link(alice, carol);
    const links = [];
    for (let i = 0; i < 4; i += 1) links.push(await hub.link(alice, bob));
    // Each is asked on a stream of its own, so any two may be the first.
    const errors = new Map<number, unknown>();
    const results = links.map(([channel], index) =>
      via.sendChannel(channel).catch((error: unknown) => void errors.set(index, error)),
    );
    await until(() => errors.size === 2 && decisions.length === 2);
    for (const [index, error] of errors) {
      expect(error).toMatchObject({ code: "limit-exceeded", source: "channel", remote: true });
      await exchange(...links[index]!);
    }
    for (const decide of decisions) decide();
    await Promise.all(results);
    const [refused] = errors.keys();
    const third = via.sendChannel(links[refused!]![0]);
    await until(() => decisions.length === 3);
    decisions[2]!();
    await third;
    expect(errors.size).toBe(2);
    expect((await hub.coordinator.getStats()).limited).toEqual({ requestsAtOnce: 2 });
    await hub.close();
  });

  test("and so many in a burst", async () => {
    const hub = await Hub.start(kind, { limits: { requestBurst: 3, requestsPerSecond: 1 } });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    const [via] = await hub.link(alice, carol);
    const link = await hub.link(alice, bob);
    const codes = [];
    for (let i = 0; i < 5; i += 1) codes.push(((await rejection(via.sendChannel(link[0]))) as { code: string }).code);
    expect(codes).toEqual(["refused", "refused", "refused", "limit-exceeded", "limit-exceeded"]);
    await exchange(...link);
    await hub.close();
  });

  test("a flood of control messages that are about no stream cuts off its sender", async () => {
    const hub = await Hub.start(kind);
    const { connection, control } = await byHand(hub, "eve");
    for (let id = 0; id < 250; id += 1) void control.send({ type: "ping", id });
    expect(await farewell(control)).toMatchObject({ code: "limit-exceeded" });
    await connection.closed.catch(() => {});
    await expectGone(hub, "controlMessagesPerSecond");
    await hub.close();
  });

  test("streams that are opened and aborted, over and over, cut off who does that", async () => {
    const hub = await Hub.start(kind, { limits: { abortedStreamsPerSecond: 50 } });
    const [alice, bob] = [await hub.join("eve"), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    const taking = (async () => {
      for await (const readable of b.incomingUnidirectionalStreams) readable.cancel().catch(() => {});
    })();
    const aborting = (async () => {
      for (;;) await (await a.createUnidirectionalStream()).abort("never mind");
    })();
    expect(await rejection(alice.coordinator.closed)).toMatchObject({ code: "limit-exceeded", remote: true });
    await rejection(aborting);
    expect(await rejection(b.closed)).toMatchObject({ code: "peer-lost" });
    await taking.catch(() => {});
    await expectGone(hub, "abortedStreamsPerSecond");
    await hub.close();
  });

  test("streams that end in order are never too many", async () => {
    const hub = await Hub.start(kind, { limits: { abortedStreamsPerSecond: 50 } });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    const counting = collect(b.incomingUnidirectionalStreams).then((streams) => streams.length);
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const writable = await a.createUnidirectionalStream();
          if (i % 3 === 2) await writable.abort().catch(() => {});
          else await writable.close();
        }),
      );
    }
    await a.close();
    expect(await counting).toBe(500);
    expect((await hub.coordinator.getStats()).limited).toEqual({});
    await hub.close();
  });

  test("channels taken only to be closed, over and over, cut off who does that; used ones do not", async () => {
    const hub = await Hub.start(kind, { limits: { churnedChannels: 10 } });
    const [eve, bob] = [await hub.join("eve"), await hub.join("bob")];
    for (let i = 0; i < 20; i += 1) {
      const [a, b] = await hub.link(eve, bob);
      await exchange(a, b);
      await a.close();
    }
    expect((await hub.coordinator.getStats()).limited).toEqual({});
    for (let i = 0; i < 6; i += 1) {
      const [a, b] = await hub.link(eve, bob);
      await a.close().catch(() => {});
      await b.closed;
    }
    expect(await rejection(eve.coordinator.closed)).toMatchObject({ code: "limit-exceeded", remote: true });
    await expectGone(hub, "churnedChannels");
    await exchange(bob.coordinator, hub.coordinator.clients.get("bob")!);
    await hub.close();
  });

  test("a Client has so many streams open on all its channels, and waits for one to end", async () => {
    const hub = await Hub.start(kind, { limits: { streamsPerClient: 3 } });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [[a1], [a2, b2]] = [await hub.link(alice, bob), await hub.link(alice, bob)];
    const open = [await alice.coordinator.createUnidirectionalStream(), await a1.createUnidirectionalStream()];
    const last = await a2.createUnidirectionalStream();
    const stop = new AbortController();
    const given = a1.createUnidirectionalStream({ signal: stop.signal });
    let isOpen = false;
    const waiting = a1.createUnidirectionalStream().then(() => (isOpen = true));
    stop.abort("enough");
    expect(await rejection(given)).toBe("enough");
    await exchange(bob.coordinator, hub.coordinator.clients.get("bob")!); // others have their own
    expect(isOpen).toBe(false);
    await last.close();
    await waiting;
    // And again: closing a channel ends what is open on it.
    const again = a2.createUnidirectionalStream();
    await a1.close();
    await (await again).abort();
    expect(b2.peer.id).toBe("alice");
    await open[0]!.abort();
    expect((await hub.coordinator.getStats()).limited).toEqual({});
    await hub.close();
  });

  test("one that does not wait is cut off at twice as many", async () => {
    const hub = await Hub.start(kind, { limits: { streamsPerClient: 3 } });
    const bob = await hub.join("bob");
    const { connection, control } = await byHand(hub, "eve");
    const offers = connection.incomingBidirectionalStreams.getReader();
    const introducing = hub.coordinator.introduce("eve", "bob");
    const channel = controlStreamOn((await offers.read()).value!);
    await channel.expect(["channel"], 5000);
    void channel.send({ type: "accept" });
    await introducing;
    for (let i = 0; i < 6; i += 1) void channel.send({ type: "open", stream: 2 * i, name: "", metadata: {} });
    const b = await next(bob.incomingChannels);
    for (let i = 0; i < 6; i += 1) await next(b.incomingUnidirectionalStreams);
    expect(hub.coordinator.clients.has("eve")).toBe(true);
    void channel.send({ type: "open", stream: 12, name: "", metadata: {} });
    expect(await farewell(control)).toMatchObject({ code: "limit-exceeded" });
    await connection.closed.catch(() => {});
    await expectGone(hub, "streamsPerClient");
    await hub.close();
  });

  test("a Client with as many channels as it may have is not offered more; others are", async () => {
    const hub = await Hub.start(kind, { limits: { channelsPerClient: 2 } });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    await hub.link(alice, bob);
    const [a] = await hub.link(alice, bob);
    expect(await rejection(hub.coordinator.introduce("alice", "carol"))).toMatchObject({ code: "limit-exceeded" });
    expect((await hub.coordinator.getStats()).limited).toEqual({ channelsPerClient: 1 });
    await a.close();
    await exchange(...(await hub.link(alice, carol)));
    await hub.close();
  });
});

test("a flood from one source leaves the door open for others", async () => {
  const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
  const listener = await listen({ host: "127.0.0.1", cert, key });
  const coordinator = new Coordinator({ limits: { maxPending: 20, pendingPerSource: 4 } });
  coordinator.serve(listener);
  const url = `https://127.0.0.1:${listener.address.port}`;
  const from = (localAddress: string) =>
    quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }], localAddress });
  const flood: Promise<Connection>[] = [];
  for (let i = 0; i < 30; i += 1) flood.push(from("127.0.0.1").connect(url));
  await Promise.race(flood.map(async (connection) => (await connection).closed.catch(() => {})));
  expect((await coordinator.getStats()).pending).toBe(20);
  // From another network: in at once, while the flood goes on.
  for (let i = 0; i < 5; i += 1) {
    flood.push(from("127.0.0.1").connect(url));
    const client = await Client.connect(url, { transport: from("127.0.1.1"), id: `honest ${i}` });
    await exchange(client.coordinator, coordinator.clients.get(client.id)!);
    await client.close();
  }
  const { refused, limited } = await coordinator.getStats();
  expect(limited["maxPending"]).toBeGreaterThanOrEqual(10);
  expect(limited["pendingPerSource"]).toBeGreaterThanOrEqual(16);
  expect(refused["limit-exceeded"]).toBe(limited["maxPending"]);
  await coordinator.close();
  await Promise.all(flood.map(async (connection) => (await connection).closed.catch(() => {})));
});

async function byHand(hub: Hub, id: string) {
  const connection = await hub.transport.connect(hub.url);
  return { connection, control: await joinByHand(connection, hub.url, id) };
}

/** The `close` of a channel, whatever comes before it. */
async function farewell(control: Awaited<ReturnType<typeof joinByHand>>) {
  for (;;) {
    const message = await control.receive();
    if (message === undefined || message.type === "close") return message;
  }
}

async function expectGone(hub: Hub, limit: string): Promise<void> {
  await until(() => !hub.coordinator.clients.has("eve"));
  expect((await hub.coordinator.getStats()).limited).toEqual({ [limit]: 1 });
}

/** A stream each way. */
async function exchange(a: Channel, b: Channel): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const writable = await from.createUnidirectionalStream();
    const writer = writable.getWriter();
    const reading = next(to.incomingUnidirectionalStreams).then(collect);
    await writer.write(Uint8Array.of(1, 2, 3));
    await writer.close();
    expect(await reading).toEqual([Uint8Array.of(1, 2, 3)]);
  }
}

/** Waits for something that nothing announces. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe.each([memoryKind, quicKind])("memory over $name", (kind) => {
  const mebibyte = 1024 * 1024;

  /** Writes messages that nobody reads, on streams of their own; resolves when the far end has so much. */
  async function fill(hub: Hub, channel: Channel, streams: number, bytes: number): Promise<void> {
    const before = (await hub.coordinator.getStats()).bytesHeld;
    for (let i = 0; i < streams; i += 1) {
      const writer = (await channel.createUnidirectionalStream()).getWriter();
      writer.write(new Uint8Array(bytes)).catch(() => {});
      writer.closed.catch(() => {});
    }
    await until(async () => (await hub.coordinator.getStats()).bytesHeld >= before + streams * bytes * 0.9);
  }

  test("a Client for whom too much is kept is disconnected, and nobody else", async () => {
    const hub = await Hub.start(kind, { limits: { memoryPerClient: 4 * mebibyte } });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    await fill(hub, bob.coordinator, 3, mebibyte);
    await fill(hub, alice.coordinator, 3, mebibyte);
    const writer = (await alice.coordinator.createUnidirectionalStream()).getWriter();
    writer.write(new Uint8Array(2 * mebibyte)).catch(() => {});
    expect(await rejection(alice.closed)).toMatchObject({ code: "limit-exceeded", remote: true });
    expect(await rejection(writer.closed)).toMatchObject({ code: "limit-exceeded" });
    await until(() => !hub.coordinator.clients.has("alice"));
    await until(async () => (await hub.coordinator.getStats()).bytesHeld < 3.5 * mebibyte);
    expect([...hub.coordinator.clients.keys()]).toEqual(["bob"]);
    expect((await hub.coordinator.getStats()).limited).toEqual({ memoryPerClient: 1 });
    await hub.close();
  });

  test("nobody new is let in while all is nearly full; then whoever has the most goes", async () => {
    const hub = await Hub.start(kind, { limits: { memoryInAll: 10 * mebibyte } });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    await fill(hub, alice.coordinator, 5, mebibyte);
    await fill(hub, bob.coordinator, 3, mebibyte);
    await fill(hub, bob.coordinator, 1, 0.3 * mebibyte);
    expect(await rejection(hub.join("carol"))).toMatchObject({ code: "limit-exceeded" });
    const writer = (await bob.coordinator.createUnidirectionalStream()).getWriter();
    writer.write(new Uint8Array(mebibyte)).catch(() => {});
    expect(await rejection(alice.closed)).toMatchObject({ code: "limit-exceeded" });
    await until(async () => (await hub.coordinator.getStats()).bytesHeld < 5 * mebibyte);
    await hub.join("carol");
    expect((await hub.coordinator.getStats()).limited).toEqual({ memoryInAll: 1, memoryPerClient: 1 });
    await hub.close();
  });

  test("a Client ends the channel on which too much waits for its program", async () => {
    const hub = await Hub.start(kind);
    const alice = await hub.join("alice", { limits: { unreadBytes: 4 * mebibyte } });
    const [bob, carol] = [await hub.join("bob"), await hub.join("carol")];
    const [, b] = await hub.link(alice, bob);
    const [atAlice, c] = await hub.link(alice, carol);
    const streams = await Promise.all(Array.from({ length: 4 }, () => b.createUnidirectionalStream()));
    for (const stream of streams)
      stream
        .getWriter()
        .write(new Uint8Array(mebibyte))
        .catch(() => {});
    expect(await rejection(b.closed)).toMatchObject({ code: "limit-exceeded", remote: true });
    const writable = await c.createUnidirectionalStream();
    await Promise.all([writable.close(), next(atAlice.incomingUnidirectionalStreams).then(collect)]);
    await hub.close();
  });
});
