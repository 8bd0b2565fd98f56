/** What a Coordinator tells of what happens, and of what is there: `subscribe`, `getDetails`. */
import { afterEach, expect, test } from "vitest";

import type { CoordinatorEvent, CoordinatorOptions } from "../../src/index.ts";
import { Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import type { TransportKind } from "../support/hub.ts";

let hub: Hub | undefined;
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

/** Everything that happens, and a way to wait for it. */
class Witness {
  readonly events: CoordinatorEvent[] = [];
  #wake: () => void = () => {};

  readonly see = (event: CoordinatorEvent): void => {
    this.events.push(event);
    this.#wake();
  };

  /** The first event of this type. */
  async first<T extends CoordinatorEvent["type"]>(type: T): Promise<Extract<CoordinatorEvent, { type: T }>> {
    for (;;) {
      const found = this.events.find((event) => event.type === type);
      if (found !== undefined) return found as Extract<CoordinatorEvent, { type: T }>;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

async function start(kind: TransportKind, options?: CoordinatorOptions): Promise<{ hub: Hub; witness: Witness }> {
  hub = await Hub.start(kind, options);
  const witness = new Witness();
  hub.coordinator.subscribe(witness.see);
  return { hub, witness };
}

test("joining, a channel, its end, leaving: in this order, with who and for how long", async () => {
  const { hub, witness } = await start(quicKind);
  const alice = await hub.join("alice");
  const bob = await hub.join("bob");
  const [toBob] = await hub.link(alice, bob, { room: 7 });
  await toBob.close({ closeCode: 5, reason: "done" });
  await witness.first("channel-closed");
  await bob.close();
  const left = await witness.first("left");
  expect(hub.coordinator.clients.has("bob")).toBe(false);

  const types = witness.events.map(({ type }) => type);
  expect(types).toEqual(["joined", "joined", "channel-opened", "channel-closed", "left"]);
  const joined = await witness.first("joined");
  expect(joined).toMatchObject({ client: { id: "alice", publicKey: alice.publicKey }, transport: "quic" });
  expect(joined.remote.host).toMatch("127.0.0.1");
  expect(joined.durationMs).toBeGreaterThan(0);
  const between = [{ id: "alice" }, { id: "bob" }];
  expect(await witness.first("channel-opened")).toMatchObject({ channel: { id: 1, between, metadata: { room: 7 } } });
  const closed = await witness.first("channel-closed");
  expect(closed).toMatchObject({ channel: { id: 1, between }, info: { closeCode: 5, reason: "done" } });
  expect(closed.error).toBeUndefined();
  expect(left).toMatchObject({ client: { id: "bob" }, info: { closeCode: 0 } });
});

test("who is refused, by what; and a limit", async () => {
  const { hub, witness } = await start(memoryKind, {
    authenticate: ({ requestedId }) => {
      if (requestedId === "mallory") throw new Error("Not you");
      return {};
    },
    limits: { maxClients: 1 },
  });
  await rejection(hub.join("mallory"));
  expect(await witness.first("refused")).toMatchObject({ error: { code: "refused", message: "Not you" } });
  await hub.join("alice");
  await rejection(hub.join("bob"));
  expect(await witness.first("limited")).toEqual({ type: "limited", limit: "maxClients" });
});

test("an introduction that fails, and a channel end that is passed on", async () => {
  const { hub, witness } = await start(memoryKind);
  await hub.join("alice");
  const unwilling = { accept: () => false };
  await hub.join("bob", unwilling);
  await rejection(hub.coordinator.introduce("alice", "bob"));
  const refused = await witness.first("channel-refused");
  expect(refused).toMatchObject({ between: [{ id: "alice" }, { id: "bob" }], error: { code: "refused" } });
  expect(witness.events.some(({ type }) => type === "channel-opened" || type === "channel-closed")).toBe(false);

  const { port1 } = hub.coordinator.createChannel();
  await hub.coordinator.clients.get("alice")!.sendChannel(port1);
  expect(await witness.first("channel-opened")).not.toHaveProperty("durationMs");
  const passed = await witness.first("channel-passed");
  expect(passed.to.id).toBe("alice");
  expect(passed.channel.between.map((peer) => peer?.publicKey === undefined)).toEqual([false, true]);
});

test("a Client that loses its connection is away, then back", async () => {
  const { hub, witness } = await start(quicKind);
  const alice = await hub.join("alice");
  alice.reconnect();
  const back = await witness.first("back");
  expect(back.client.id).toBe("alice");
  await alice.close();
  await witness.first("left");
  expect(witness.events.filter(({ type }) => type === "joined")).toHaveLength(1);
});

test("an observer that throws is an uncaught exception, and nobody else's business; one that is over hears no more", async () => {
  const { hub, witness } = await start(memoryKind);
  const heard: string[] = [];
  const stop = hub.coordinator.subscribe(({ type }) => heard.push(type));
  hub.coordinator.subscribe(({ type }) => {
    if (type === "joined") throw new Error("A faulty observer");
  });
  const listeners = process.rawListeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const uncaught = new Promise<unknown>((resolve) => process.once("uncaughtException", resolve));
  try {
    await hub.join("alice");
    expect(await uncaught).toMatchObject({ message: "A faulty observer" });
    stop();
    const again = new Promise<unknown>((resolve) => process.once("uncaughtException", resolve));
    await hub.join("bob");
    await again;
  } finally {
    for (const listener of listeners) process.on("uncaughtException", listener as NodeJS.UncaughtExceptionListener);
  }
  expect(witness.events.filter(({ type }) => type === "joined")).toHaveLength(2);
  expect(heard).toEqual(["joined"]);
});

test("details: each Client with its connection, each channel with what went through it", async () => {
  const { hub, witness } = await start(quicKind);
  const alice = await hub.join("alice");
  const bob = await hub.join("bob");
  const [toBob, toAlice] = await hub.link(alice, bob);
  const writer = (await toBob.createUnidirectionalStream()).getWriter();
  const readable = await next(toAlice.incomingUnidirectionalStreams);
  await writer.write(new Uint8Array(1000));
  await next(readable);

  const { clients, channels } = await hub.coordinator.getDetails();
  expect(clients.map(({ peer, isAway, transport }) => [peer.id, isAway, transport])).toEqual([
    ["alice", false, "quic"],
    ["bob", false, "quic"],
  ]);
  expect(clients[0]!.connection.bytesReceived).toBeGreaterThan(1000);
  // A length of two bytes, and the message.
  expect(channels).toEqual([
    {
      id: 1,
      between: [clients[0]!.peer, clients[1]!.peer],
      metadata: {},
      openStreams: 1,
      streamsForwarded: 1,
      bytesForwarded: [1002, 0],
    },
  ]);
  expect(await hub.coordinator.getStats()).toMatchObject({ openStreams: 1, streamsForwarded: 1, bytesForwarded: 1002 });

  await writer.close();
  await toBob.close();
  await witness.first("channel-closed");
  const after = { links: 0, openStreams: 0, streamsForwarded: 1, bytesForwarded: 1003 };
  expect(await hub.coordinator.getStats()).toMatchObject(after);
  expect((await hub.coordinator.getDetails()).channels).toEqual([]);
});
