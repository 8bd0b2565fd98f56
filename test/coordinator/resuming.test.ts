/** Connections that are lost, and come back. */
import { describe, expect, test } from "vitest";
import { Client, Coordinator, generateKeyPair } from "../../src/index.ts";
import type {
  AuthenticateRequest,
  Channel,
  ChannelOffer,
  ClientOptions,
  CoordinatorOptions,
  Identity,
  Listener,
  MessageReadable,
} from "../../src/index.ts";
import { listen, memory } from "../../src/transports/memory/index.ts";
import { Hub, collect, memoryKind, next, quicKind, rejection, websocketKind } from "../support/hub.ts";
import { isMessage, message, random } from "../support/messages.ts";
import { isPending, turns } from "../streams/message-pipe.ts";

/** So that coming back takes no time. */
const reconnect = { firstDelayMs: 1, maxDelayMs: 20 };

/** Resolves when the Client is in this state. */
async function reaches(client: Client, state: Client["state"]): Promise<void> {
  while (client.state !== state) {
    await new Promise((resolve) => client.addEventListener("statechange", resolve, { once: true }));
  }
}

const sizeOf = (index: number): number => Math.floor(random(index) ** 4 * 100_000);

/** Sends messages 0 to `count`, of all sizes, and the end. */
async function send(channel: Channel, count: number): Promise<void> {
  const writer = (await channel.createUnidirectionalStream()).getWriter();
  for (let i = 0; i < count; i += 1) {
    await writer.ready;
    writer.write(message(i, sizeOf(i))).catch(() => {});
  }
  await writer.close();
}

/** Receives what {@link send} sends. */
async function receive(channel: Channel, onMessage = (): void => {}): Promise<number> {
  let count = 0;
  for await (const each of await next(channel.incomingUnidirectionalStreams)) {
    if (!isMessage(each, count, sizeOf(count))) throw new Error(`Message ${count} arrived wrong`);
    count += 1;
    onMessage();
  }
  return count;
}

describe.each([memoryKind, quicKind, websocketKind])("over $name", (kind) => {
  test("cut off again and again: every message once, both ways, to the Coordinator and beyond", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const [a, b] = await hub.link(alice, bob);
    const k = hub.coordinator.clients.get("alice")!;
    const ends = [a, b, alice.coordinator, k];
    const count = 1000;
    let untilCut = 100;
    let wake = (): void => {};
    const received = ends.map((end) => receive(end, () => --untilCut < 0 && wake()));
    const over = Promise.all([...received, ...ends.map((end) => send(end, count))]).then(() => true);
    let cuts = 0;
    while (!(await Promise.race([over, new Promise((resolve) => (wake = () => resolve(false)))]))) {
      cuts += 1;
      const clients = [[alice], [bob], [alice, bob]][cuts % 3]!;
      for (const client of clients) client.reconnect();
      for (const client of clients) await reaches(client, "connected");
      untilCut = 100;
    }
    expect(await Promise.all(received)).toEqual([count, count, count, count]);
    expect(cuts).toBeGreaterThan(2);
    await hub.close();
  });

  test("what was asked for while the way was lost is done when it is back", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const [a, b] = await hub.link(alice, bob);
    const kept = await a.createUnidirectionalStream({ name: "kept" });
    const cancelled = await a.createUnidirectionalStream({ name: "cancelled" });
    const aborted = await a.createUnidirectionalStream({ name: "aborted" });
    const incoming = await Promise.all([1, 2, 3].map(() => next(b.incomingUnidirectionalStreams)));
    const [keptAtB, cancelledAtB, abortedAtB] = incoming as [MessageReadable, MessageReadable, MessageReadable];
    kept.tryWrite(message(0, 10));
    const gone = rejection(cancelled.getWriter().closed);

    alice.reconnect();
    expect(alice.state).toBe("reconnecting");
    expect(kept.tryWrite(message(1, 20))).toBe(true);
    const closed = kept.close();
    const late = await a.createUnidirectionalStream({ name: "late" });
    const lateClosed = late.close();
    void aborted.abort(Object.assign(new Error("no more"), { streamErrorCode: 7 }));
    void cancelledAtB.cancel("enough");
    const atB = Promise.all([collect(keptAtB), next(b.incomingUnidirectionalStreams)]);
    await reaches(alice, "connected");

    const [messages, lateAtB] = await atB;
    expect(messages.map((each) => each.length)).toEqual([10, 20]);
    expect(lateAtB.name).toBe("late");
    await Promise.all([closed, lateClosed]);
    expect(await gone).toMatchObject({ code: "cancelled", message: "enough", remote: true });
    expect(await rejection(collect(abortedAtB))).toMatchObject({ code: "aborted", streamErrorCode: 7 });

    bob.reconnect();
    void a.close({ closeCode: 5, reason: "done" });
    expect(await b.closed).toEqual({ closeCode: 5, reason: "done" });
    await hub.close();
  });

  test("a stream that ends because the other end is closing ends with that", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const [a, b] = await hub.link(alice, bob);
    const writable = await a.createUnidirectionalStream();
    const writer = writable.getWriter();
    const readerAtB = (await next(b.incomingUnidirectionalStreams)).getReader();
    void writer.write(message(0, 300_000));
    await readerAtB.read();
    while (writable.confirmedMessages === 0) await turns(1);
    const closed = rejection(writer.closed);

    // What B sends holds its close up until it is read.
    const sending = (await b.createUnidirectionalStream()).getWriter();
    const readable = await next(a.incomingUnidirectionalStreams);
    for (let i = 0; i < 10; i += 1) void sending.write(message(i, 100_000));
    void sending.close();
    const closing = b.close({ closeCode: 5, reason: "done" });
    alice.reconnect();
    await reaches(alice, "connected");
    expect((await collect(readable)).length).toBe(10);
    await closing;
    expect(await closed).toMatchObject({ code: "closed", message: "done" });
    await hub.close();
  });

  test("a Client that closes waits for a channel that is closing already", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const [a, b] = await hub.link(alice, bob);
    const writer = (await a.createUnidirectionalStream()).getWriter();
    for (let i = 0; i < 30; i += 1) void writer.write(message(i, 100_000));
    const sent = writer.close();
    const readable = await next(b.incomingUnidirectionalStreams);
    const closing = Promise.all([a.close({ closeCode: 5, reason: "done" }), alice.close()]);
    await turns(500); // time in which it could have closed
    const collected = collect(readable);
    expect((await collected).length).toBe(30);
    await Promise.all([closing, sent]);
    expect(await b.closed).toEqual({ closeCode: 5, reason: "done" });
    await hub.close();
  });

  test("at whatever moment it is handed on, while the other end comes back: it goes on with the new one", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    let accepting: Promise<boolean> | boolean = true;
    const join = (id: string): Promise<Client> => hub.join(id, { reconnect, accept: () => accepting });
    const [alice, bob, carol] = [await join("alice"), await join("bob"), await join("carol")];
    const [via, viaAtCarol] = await hub.link(bob, carol);
    for (let moment = 0; moment < 40; moment += 1) {
      const [a, b] = await hub.link(alice, bob);
      alice.reconnect();
      await turns(moment);
      // Long enough for Alice to be through with coming back.
      accepting = reaches(alice, "connected").then(async () => (await turns(50), true));
      await via.sendChannel(b);
      accepting = true;
      const c = await next(carol.incomingChannels);
      await Promise.all([send(a, 3), receive(c), send(c, 3), receive(a)]);
      await a.close();
    }
    await viaAtCarol.close();
    await hub.close();
  });

  test("at whatever moment of an introduction: both get one channel, and it goes on", async () => {
    const hub = await Hub.start(kind);
    const asked = { alice: 0, bob: 0 };
    const join = (id: "alice" | "bob"): Promise<Client> =>
      hub.join(id, { reconnect, accept: async () => (await turns(2), (asked[id] += 1) > 0) });
    const [alice, bob] = [await join("alice"), await join("bob")];
    const moments = 40;
    for (let moment = 0; moment < moments; moment += 1) {
      const linked = hub.link(alice, bob);
      await turns(moment >> 1);
      for (const client of [[alice], [bob], [alice, bob]][moment % 3]!) client.reconnect();
      const [a, b] = await linked;
      await Promise.all([send(a, 3), receive(b), send(b, 3), receive(a)]);
      await a.close();
      await b.closed;
    }
    // Some of what was asked was lost.
    expect(asked.alice + asked.bob).toBeGreaterThan(2 * moments);
    await hub.close();
  });

  test("whoever stays is not blamed for what was under way to one who is cut off again and again", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const [a, b] = await hub.link(alice, bob);
    let losses = 0;
    alice.addEventListener("statechange", () => (losses += 1));
    const size = 1_000_000;
    const sending = Array.from({ length: 16 }, async () => {
      const writer = (await a.createUnidirectionalStream()).getWriter();
      await Promise.all([writer.write(message(0, size)), writer.close()]);
    });
    const incoming: MessageReadable[] = [];
    while (incoming.length < sending.length) incoming.push(await next(b.incomingUnidirectionalStreams));
    for (let cuts = 0; cuts < 8; cuts += 1) {
      await turns(300); // the windows fill
      bob.reconnect();
      await reaches(bob, "connected");
    }
    for (const readable of incoming) expect((await collect(readable)).map((each) => each.length)).toEqual([size]);
    await Promise.all(sending);
    expect(losses).toBe(0);
    await hub.close();
  });

  test("the Coordinator's end waits, too: what its program writes and reads, closes and passes on", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const [alice, bob] = [await hub.join("alice", { reconnect }), await hub.join("bob", { reconnect })];
    const { port1, port2 } = hub.coordinator.createChannel();
    await hub.coordinator.clients.get("alice")!.sendChannel(port1);
    const a = await next(alice.incomingChannels);
    const [sent, received] = [send(port2, 200), receive(a)];
    const [sentBack, receivedBack] = [send(a, 200), receive(port2)];
    alice.reconnect();
    expect((await hub.coordinator.getStats()).clients).toBe(2);
    await Promise.all([sent, sentBack]);
    expect(await Promise.all([received, receivedBack])).toEqual([200, 200]);

    alice.reconnect();
    await hub.coordinator.clients.get("bob")!.sendChannel(port2);
    const b = await next(bob.incomingChannels);
    await Promise.all([send(a, 50), receive(b), send(b, 50), receive(a)]);
    await hub.close();
  });
});

/** A Coordinator, Alice, whose connection can be cut, and Bob, whose cannot. */
async function open(coordinatorOptions: CoordinatorOptions = {}, clientOptions: Partial<ClientOptions> = {}) {
  const coordinator = new Coordinator(coordinatorOptions);
  const [hers, his] = [await listen(), await listen()];
  for (const listener of [hers, his]) coordinator.serve(listener);
  const join = (id: string, { address }: Listener, options: Partial<ClientOptions> = {}): Promise<Client> =>
    Client.connect(`https://localhost:${address.port}`, { transport: memory(), id, reconnect, ...options });
  const [alice, bob] = [await join("alice", hers, clientOptions), await join("bob", his)];
  const link = await coordinator.introduce("alice", "bob");
  const [a, b] = [await next(alice.incomingChannels), await next(bob.incomingChannels)];
  const close = async (): Promise<void> => {
    await Promise.all([alice.close(), bob.close()]);
    await coordinator.close();
  };
  /** Cuts Alice off. */
  const cut = async (): Promise<void> => {
    hers.cut();
    while (alice.state === "connected") await turns(1);
  };
  return { coordinator, listener: hers, join, alice, bob, a, b, link, cut, close };
}

/** Does not come back by itself. */
const never = { firstDelayMs: 2 ** 31 - 1, maxDelayMs: 2 ** 31 - 1 };

describe("a Client that does not come back in time", () => {
  test("channels and their streams end with a typed error, at both ends; back again, it begins anew", async () => {
    const all = await open({ limits: { resumeWindowMs: 20 } }, { reconnect: never, limits: { resumeWindowMs: 20 } });
    const { coordinator, alice, a, b, link } = all;
    const writers = [await a.createUnidirectionalStream(), await b.createUnidirectionalStream()].map((stream) =>
      stream.getWriter(),
    );
    const [atB, atA] = [await next(b.incomingUnidirectionalStreams), await next(a.incomingUnidirectionalStreams)];
    const former = alice.coordinator;

    await all.cut();
    expect(alice.state).toBe("reconnecting");
    expect(alice.error).toMatchObject({ code: "connection-lost" });
    expect((await coordinator.getStats()).away).toBe(1);

    const [lost, gone] = [{ code: "connection-lost" }, { code: "peer-lost" }];
    for (const promise of [writers[0]!.closed, collect(atA), a.closed, former.closed])
      expect(await rejection(promise)).toMatchObject(lost);
    for (const promise of [writers[1]!.closed, collect(atB), b.closed, link.closed])
      expect(await rejection(promise)).toMatchObject(gone);
    expect([...coordinator.clients.keys()]).toEqual(["bob"]);
    expect(await rejection(former.createUnidirectionalStream())).toMatchObject(lost);

    alice.reconnect();
    await reaches(alice, "connected");
    expect([alice.id, alice.error]).toEqual(["alice", undefined]);
    expect(alice.coordinator).not.toBe(former);
    await Promise.all([send(alice.coordinator, 10), receive(coordinator.clients.get("alice")!)]);
    await coordinator.introduce("alice", "bob");
    await all.close();
  });

  test("without reconnecting it is closed at once", async () => {
    const all = await open({}, { reconnect: false });
    const states: string[] = [];
    all.alice.addEventListener("statechange", () => states.push(all.alice.state));
    await all.cut();
    for (const closed of [all.alice.closed, all.a.closed, all.alice.coordinator.closed])
      expect(await rejection(closed)).toMatchObject({ code: "connection-lost" });
    expect(states).toEqual(["closed"]);
    expect(all.alice.error).toMatchObject({ code: "connection-lost" });
    expect(() => all.alice.reconnect()).toThrow(expect.objectContaining({ code: "closed" }));
    await all.close();
  });

  test("where the Coordinator waits for nobody, its peers learn at once", async () => {
    const all = await open({ limits: { resumeWindowMs: 0 } });
    await all.cut();
    expect(await rejection(all.b.closed)).toMatchObject({ code: "peer-lost", remote: true });
    await reaches(all.alice, "connected");
    expect(await rejection(all.a.closed)).toMatchObject({ code: "connection-lost" });
    await all.close();
  });
});

test("after the Coordinator was started anew, everyone is back, and knows what was not confirmed", async () => {
  const all = await open();
  const { listener, alice, a } = all;
  const writable = await a.createUnidirectionalStream();
  await next(all.b.incomingUnidirectionalStreams);
  const writer = writable.getWriter();
  for (let i = 0; i < 5; i += 1) writer.write(message(i, 100_000)).catch(() => {});
  while (writable.confirmedMessages === 0) await turns(1);
  const { port } = listener.address;

  await all.cut();
  await listener.close();
  const coordinator = new Coordinator();
  coordinator.serve(await listen({ port }));
  await reaches(alice, "connected");

  expect(await rejection(writer.closed)).toMatchObject({ code: "connection-lost" });
  expect(writable.confirmedMessages).toBeGreaterThan(0);
  expect(writable.confirmedMessages).toBeLessThan(5);
  expect([...coordinator.clients.keys()]).toEqual(["alice"]);
  await all.close();
  await coordinator.close();
});

test("a stream waits when as much of it is unconfirmed as is kept", async () => {
  const all = await open({}, { limits: { keptPerStream: 100_000 } });
  const writer = (await all.a.createUnidirectionalStream()).getWriter();
  const stalled = await next(all.b.incomingUnidirectionalStreams);
  let written = 0;
  const write = async (count: number): Promise<void> => {
    for (; written < count; written += 1) await writer.write(message(written, 10_000));
  };
  await write(10);
  const writing = write(100);
  await turns();
  expect(written).toBeLessThan(20);
  let received = 0;
  for await (const _ of stalled) if ((received += 1) === 100) break;
  await writing;
  await all.close();
});

test("a stream of which more is unconfirmed than is kept ends; the others go on", async () => {
  const all = await open({}, { limits: { keptInAll: 100_000 } });
  const [a, b] = [all.a, all.b];
  const large = (await a.createUnidirectionalStream()).getWriter();
  const small = (await a.createUnidirectionalStream()).getWriter();
  const [largeAtB, smallAtB] = [
    await next(b.incomingUnidirectionalStreams),
    await next(b.incomingUnidirectionalStreams),
  ];
  for (let i = 0; i < 4; i += 1) void large.write(message(i, 60_000)).catch(() => {});
  await small.write(message(0, 1000));
  await turns();

  await all.cut();
  const error = { code: "connection-lost", source: "stream" };
  expect(await rejection(large.closed)).toMatchObject(error);
  expect(await rejection(collect(largeAtB))).toMatchObject({ code: "aborted" });
  const collected = collect(smallAtB);
  await small.write(message(1, 2000));
  await small.close();
  expect((await collected).map(({ length }) => length)).toEqual([1000, 2000]);
  await all.close();
});

describe("what ends the attempts to come back", () => {
  test("close(), which the channels see", async () => {
    const all = await open({}, { reconnect: never });
    await all.cut();
    await all.alice.close({ closeCode: 3, reason: "enough" });
    expect(await all.alice.closed).toEqual({ closeCode: 3, reason: "enough" });
    expect(all.alice.state).toBe("closed");
    expect(await rejection(all.a.closed)).toMatchObject({ code: "closed", message: "enough" });
    await all.close();
  });

  test("the signal, unless it had fired while the connection was up", async () => {
    const controller = new AbortController();
    const all = await open({}, { reconnect: never, signal: controller.signal });
    await all.cut();
    controller.abort(new Error("no more"));
    expect(await rejection(all.alice.closed)).toMatchObject({ code: "closed", cause: { message: "no more" } });
    await all.close();

    const spent = new AbortController();
    const other = await open({}, { signal: spent.signal });
    spent.abort();
    await other.cut();
    await reaches(other.alice, "connected");
    await other.close();
  });

  test("being refused", async () => {
    let joined = 0;
    const authenticate = ({ requestedId: id }: AuthenticateRequest): Identity => {
      joined += 1;
      if (joined > 2) throw new Error("not again");
      return { id };
    };
    const all = await open({ authenticate, limits: { resumeWindowMs: 0 } });
    await all.cut();
    expect(await rejection(all.alice.closed)).toMatchObject({ code: "refused", message: "not again" });
    await all.close();
  });

  test("another one with the same key, which has taken the id over", async () => {
    const keyPair = await generateKeyPair();
    const all = await open({}, { keyPair, reconnect: never });
    await all.cut();
    const other = await all.join("alice", all.listener, { keyPair });
    expect(await rejection(all.b.closed)).toMatchObject({ code: "peer-lost" });
    all.alice.reconnect();
    await reaches(all.alice, "connected");
    expect(await rejection(other.closed)).toMatchObject({ code: "replaced" });
    expect(other.state).toBe("closed");
    await all.close();
  });
});

describe("while a Client is away", () => {
  test("it is introduced when it is back", async () => {
    const all = await open({}, { reconnect: never });
    await all.cut();
    const introduced = all.coordinator.introduce("alice", "bob");
    expect(await isPending(introduced)).toBe(true);
    all.alice.reconnect();
    await introduced;
    await next(all.alice.incomingChannels);
    await all.close();
  });

  test("it is asked again what it had not answered, and only that", async () => {
    const asked: unknown[] = [];
    const accept = ({ metadata }: ChannelOffer): Promise<boolean> | boolean => {
      asked.push(metadata["n"]);
      return asked.length === 2 ? new Promise(() => {}) : true;
    };
    const all = await open({}, { reconnect: never, accept });
    const introduced = all.coordinator.introduce("alice", "bob", { metadata: { n: 1 } });
    while (asked.length < 2) await turns(1);
    await all.cut();
    expect(await isPending(introduced)).toBe(true);
    all.alice.reconnect();
    await introduced;
    expect(asked).toEqual([undefined, 1, 1]);
    const [a, b] = [await next(all.alice.incomingChannels), await next(all.bob.incomingChannels)];
    await Promise.all([send(a, 10), receive(b)]);
    await all.close();
  });

  test("of a channel that it has accepted it is not asked again, also if its answer was lost", async () => {
    let asked = 0;
    const all = await open({}, { accept: () => (asked += 1) > 0 });
    // In the same turn in which its answer leaves.
    const taken = next(all.alice.incomingChannels).then((channel) => (all.listener.cut(), channel));
    await all.coordinator.introduce("alice", "bob");
    expect(asked).toBe(2);
    const [a, b] = [await taken, await next(all.bob.incomingChannels)];
    await Promise.all([send(a, 10), receive(b), send(b, 10), receive(a)]);
    await all.close();
  });

  test("or is not, if it does not come back", async () => {
    const all = await open({ limits: { acceptTimeoutMs: 20 } }, { reconnect: never });
    await all.cut();
    expect(await rejection(all.coordinator.introduce("alice", "bob"))).toMatchObject({ code: "peer-lost" });
    await all.close();
  });

  test("its end can be taken from nobody: who asks with another key is refused its session", async () => {
    const all = await open({}, { reconnect: never });
    await all.cut();
    expect(await rejection(all.join("alice", all.listener))).toMatchObject({ code: "refused" });
    all.alice.reconnect();
    await reaches(all.alice, "connected");
    await Promise.all([send(all.a, 10), receive(all.b)]);
    await all.close();
  });

  test("it may close, also at the moment when its connection is lost", async () => {
    const all = await open();
    all.listener.cut();
    await all.alice.close({ reason: "bye" });
    expect(await all.alice.closed).toEqual({ closeCode: 0, reason: "bye" });
    await all.close();
  });

  test("a Coordinator that closes does not wait for it", async () => {
    const all = await open({}, { reconnect: never });
    await all.cut();
    await all.coordinator.close();
    await all.close();
  });
});
