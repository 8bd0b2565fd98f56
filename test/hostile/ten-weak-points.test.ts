/** Ten things that a library of this kind got wrong before, and that are right here. */
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client, generateKeyPair, importPublicKey, publicKeyOf } from "../../src/index.ts";
import type { AuthenticateRequest, Channel, ChannelOffer, Connection, CoordinatorOptions } from "../../src/index.ts";
import { collect, Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import type { TransportKind } from "../support/hub.ts";
import { isMessage, message } from "../support/messages.ts";
import { Eve } from "./bad-input/eve.ts";
import { within } from "./bad-input/within.ts";

describe.each([memoryKind, quicKind])("over $name", (kind) => {
  let hub: Hub;
  beforeEach(async () => void (hub = await Hub.start(kind)));
  afterEach(() => hub.close());

  /** Another Coordinator, with other rules. */
  async function withRules(options: CoordinatorOptions): Promise<void> {
    await hub.close();
    hub = await Hub.start(kind, options);
  }

  async function eve(): Promise<Eve> {
    const connection = await hub.transport.connect(hub.url);
    return new Eve({ connection, url: hub.url, introduce: () => hub.coordinator.introduce("eve", "bob") });
  }

  test("1. nobody can end another's connection or channel, whatever they name", async () => {
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    const mallory = await eve();
    await mallory.join();
    const { line } = await mallory.link();
    // What it may say of channels, on channels of its own, with the numbers and names of others.
    for (let via = 2; via < 8; via += 1) await line.say({ type: "sendChannel", via, metadata: { id: "alice" } });
    await line.say({ type: "close", closeCode: 0, reason: "", channel: 1, id: "alice", peer: { id: "alice" } });
    await mallory.control.say({ type: "goaway", reason: "alice", id: "alice" });
    await mallory.gets("request closed");
    for (const id of ["alice", "bob"]) {
      const impostor = await eve();
      expect(await rejection(impostor.join(id))).toMatchObject({ code: "refused" });
      await impostor.leave();
    }
    await mallory.control.say({ type: "refuse", code: "refused", reason: "alice" });
    await mallory.gets("connection protocol-error");
    await exchange(a, b);
    expect([...hub.coordinator.clients.keys()]).toEqual(["alice", "bob"]);
  });

  test("2. nobody is taken for another by being faster: identity is a key, which both ends see verified", async () => {
    const [alicesKeys, evesKeys] = [await generateKeyPair(), await generateKeyPair()];
    const alicesKey = await publicKeyOf(alicesKeys);
    const offers: ChannelOffer[] = [];
    await hub.join("bob", {
      accept: (offer) => {
        offers.push(offer);
        return offer.peer.publicKey === alicesKey;
      },
    });
    // Eve has the name first, but not the key, and cannot show one that she has not.
    const eve = await hub.join("alice", { keyPair: evesKeys });
    expect(await rejection(hub.coordinator.introduce("alice", "bob"))).toMatchObject({ code: "refused" });
    const forged = { publicKey: alicesKeys.publicKey, privateKey: evesKeys.privateKey };
    expect(await rejection(hub.join("alice", { keyPair: forged }))).toMatchObject({ code: "refused" });
    await eve.close();
    await hub.coordinator.clients.get("alice")?.closed;
    const alice = await hub.join("alice", { keyPair: alicesKeys });
    await hub.coordinator.introduce("alice", "bob");
    expect(offers.map(({ peer }) => peer.publicKey)).toEqual([eve.publicKey, alice.publicKey]);
  });

  test("3. nothing is disclosed without consent: who refuses is not found out about, and addresses never are", async () => {
    const bob = await hub.join("bob", {
      accept: ({ peer }) => peer.id !== "eve",
    });
    const mallory = await eve();
    const control = await mallory.join();
    const introducing = rejection(hub.coordinator.introduce("eve", "bob"));
    const { line } = await mallory.offer();
    await line.say({ type: "accept" });
    expect(await introducing).toMatchObject({ code: "refused" });
    await mallory.gets("channel refused");
    const heard = JSON.stringify([...control.heard, ...line.heard]);
    expect(line.heard[0]).toMatchObject({ peer: { id: "bob", metadata: {}, publicKey: bob.publicKey } });
    // Neither before nor after: not an address, not a port.
    expect(heard).not.toMatch(/127\.0\.0\.1|localhost|"(host|port|address)"/);
    await mallory.leave();
  });

  test("4. who opens at the same time is not in each other's way", async () => {
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    await Promise.all([
      ...Array.from({ length: 5 }, () => hub.coordinator.introduce("alice", "bob")),
      ...Array.from({ length: 5 }, () => hub.coordinator.introduce("bob", "alice")),
    ]);
    for (let i = 0; i < 10; i += 1) {
      const channel = await next(alice.incomingChannels);
      const other = await next(bob.incomingChannels);
      // Whichever belong together: each opens at once, and both are taken.
      await Promise.all([channel.createUnidirectionalStream(), other.createUnidirectionalStream()]);
    }
    const [a, b] = await hub.link(alice, bob);
    await Promise.all([send(a, 20), send(b, 20), receive(b, 20), receive(a, 20)]);
  });

  test("5. a close at any time of connecting harms nobody, and a late one does not touch what is newer", async () => {
    for (let turns = 0; turns < 15; turns += 1) {
      const controller = new AbortController();
      const joining = Client.connect(hub.url, { transport: hub.transport, id: "hasty", signal: controller.signal });
      const settled = joining.then((client) => client.close()).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      controller.abort("never mind");
      expect([undefined, "never mind"]).toContain(await within(5000, settled, () => "no answer"));
    }
    const keyPair = await generateKeyPair();
    const old = await hub.join("alice", { keyPair });
    const bob = await hub.join("bob");
    const [oldChannel] = await hub.link(old, bob);
    const fresh = await hub.join("alice", { keyPair });
    const [a, b] = await hub.link(fresh, bob);
    await Promise.all([oldChannel.close(), old.close()].map((closing) => closing.catch(() => {})));
    await old.closed.catch(() => {});
    await exchange(a, b);
    expect(hub.coordinator.clients.get("alice")?.peer.publicKey).toBe(fresh.publicKey);
  });

  test("6. nothing grows without bound: messages, names, channels, streams, who waits", async () => {
    await withRules({
      limits: { streamsPerChannel: 4, channelsPerClient: 2, maxPending: 4, maxClients: 3, maxMessageBytes: 4000 },
    });
    const [alice, bob] = [await hub.join("alice", { limits: { maxMessageBytes: 4000 } }), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    await hub.link(alice, bob);
    expect(await rejection(hub.coordinator.introduce("alice", "bob"))).toMatchObject({ code: "limit-exceeded" });
    const writer = (await a.createUnidirectionalStream()).getWriter();
    expect(await rejection(writer.write(new Uint8Array(4001)))).toMatchObject({ code: "message-too-large" });
    await rejection(writer.closed);
    const metadata = { a: "x".repeat(5000) };
    expect(await rejection(a.createUnidirectionalStream({ metadata }))).toMatchObject({ code: "invalid-argument" });
    // Streams that nobody takes hold their opener back, with the one that failed among them.
    for (let i = 0; i < 3; i += 1) await a.createUnidirectionalStream();
    let isOpen = false;
    const fifth = a.createUnidirectionalStream().then(() => (isOpen = true));
    await exchange(bob.coordinator, hub.coordinator.clients.get("bob")!);
    expect(isOpen).toBe(false);
    await (await next(b.incomingUnidirectionalStreams)).cancel().catch(() => {}); // it has failed
    await fifth;
    const silent = [];
    for (let i = 0; i < 4; i += 1) silent.push(await eve());
    await expect.poll(async () => (await hub.coordinator.getStats()).pending).toBe(4);
    expect(await rejection(hub.join("carol"))).toMatchObject({ code: "limit-exceeded" });
    for (const each of silent) await each.leave();
  });

  test("7. a reader that stops holds up nobody else", async () => {
    const alice = await hub.join("alice");
    const readers = [await hub.join("bob"), await hub.join("carol"), await hub.join("dave")];
    const links = [];
    for (const reader of readers) links.push(await hub.link(alice, reader));
    const [slow, ...others] = links as [[Channel, Channel], ...[Channel, Channel][]];
    const stalled = (await slow[0].createUnidirectionalStream()).getWriter();
    let taken = 0;
    const flooding = (async () => {
      for (; taken < 1000; taken += 1) await stalled.write(message(taken, 65_536));
    })();
    flooding.catch(() => {});
    await next(slow[1].incomingUnidirectionalStreams); // and is not read
    await Promise.all(others.flatMap(([a, b]) => [send(a, 200), receive(b, 200)]));
    // On the same channel, too: streams are independent.
    await Promise.all([send(slow[0], 200), receive(slow[1], 200)]);
    expect(taken).toBeLessThan(1000);
    await slow[0].close({ signal: AbortSignal.abort() }).catch(() => {});
  });

  test("8. whoever loses its connection learns why, and is itself again when it comes back", async () => {
    const keyPair = await generateKeyPair();
    const first = await hub.join("alice", { keyPair });
    const second = await hub.join("alice", { keyPair });
    expect(await rejection(first.coordinator.closed)).toMatchObject({ code: "replaced", remote: true });
    await hub.coordinator.clients.get("alice")!.close({ closeCode: 7, reason: "not today" });
    expect(await second.coordinator.closed).toEqual({ closeCode: 7, reason: "not today" });
    const third = await hub.join("alice", { keyPair });
    expect([third.id, third.publicKey]).toEqual([first.id, first.publicKey]);
    const writing = (await third.coordinator.createUnidirectionalStream()).getWriter();
    await hub.coordinator.close({ closeCode: 8, reason: "maintenance" });
    expect(await third.closed).toEqual({ closeCode: 8, reason: "maintenance" });
    expect(await rejection(writing.closed)).toMatchObject({ code: "closed", message: "maintenance" });
    expect(await rejection(third.coordinator.createUnidirectionalStream())).toMatchObject({ code: "closed" });
  });

  test("9. who may do what is decided, who comes and goes is told, and what happens is counted", async () => {
    const asked: string[] = [];
    await withRules({
      authenticate: ({ requestedId, credentials }: AuthenticateRequest) => {
        if (credentials !== "secret") throw new Error("wrong password");
        return { id: requestedId };
      },
      authorize: ({ from, to, action }) => {
        asked.push(`${from.id} ${action} ${to.id}`);
        return from.id === "alice";
      },
    });
    expect(await rejection(hub.join("eve"))).toMatchObject({ code: "refused", message: "wrong password" });
    const credentials = "secret";
    const [alice, bob, carol] = [
      await hub.join("alice", { credentials }),
      await hub.join("bob", { credentials }),
      await hub.join("carol", { credentials }),
    ];
    const came = [];
    for (let i = 0; i < 3; i += 1) came.push(await next(hub.coordinator.incomingChannels));
    expect(came.map(({ peer }) => peer.id)).toEqual(["alice", "bob", "carol"]);
    const [[a, b], [aliceToCarol], [bobToCarol]] = [
      await hub.link(alice, bob),
      await hub.link(alice, carol),
      await hub.link(bob, carol),
    ];
    expect(await rejection(bobToCarol.sendChannel(b))).toMatchObject({ code: "refused" });
    await aliceToCarol.sendChannel(a);
    expect(asked).toEqual(["bob sendChannel carol", "alice sendChannel carol"]);
    await carol.close({ closeCode: 1, reason: "bye" });
    expect(await came[2]!.closed).toEqual({ closeCode: 1, reason: "bye" });
    await expect
      .poll(() => hub.coordinator.getStats())
      .toMatchObject({ clients: 2, links: 0, refused: { refused: 1 } });
  });
});

test("10. what two Clients encrypt for each other is closed to the Coordinator, which passes it on as it is", async () => {
  // conec encrypts no passed channel by itself yet. What it gives: keys that are verified, and bytes that are left alone.
  const seen: Uint8Array[] = [];
  const hub = await Hub.start(tapped(memoryKind, seen));
  const [alicesKeys, bobsKeys] = [await generateKeyPair(), await generateKeyPair()];
  const alice = await hub.join("alice", { keyPair: alicesKeys });
  const bob = await hub.join("bob", { keyPair: bobsKeys });
  const [a, b] = await hub.link(alice, bob);
  const secret = new TextEncoder().encode("the treasure is under the third tree".repeat(40));

  const agree = async (channel: Channel, keys: CryptoKeyPair): Promise<CryptoKey> => {
    const curve = { name: "ECDH", namedCurve: "P-256" };
    const own = await crypto.subtle.generateKey(curve, false, ["deriveKey"]);
    const share = await crypto.subtle.exportKey("raw", own.publicKey);
    const signature = await crypto.subtle.sign(keys.privateKey.algorithm.name, keys.privateKey, share);
    const writer = (await channel.createUnidirectionalStream()).getWriter();
    for (const each of [share, signature]) await writer.write(new Uint8Array(each));
    await writer.close();
    const [theirs, proof] = await received(channel);
    const known = await importPublicKey(channel.peer.publicKey!);
    expect(await crypto.subtle.verify(known.algorithm.name, known, proof!, theirs!)).toBe(true);
    const other = await crypto.subtle.importKey("raw", theirs!, curve, false, []);
    const aes = { name: "AES-GCM", length: 256 };
    return await crypto.subtle.deriveKey({ name: "ECDH", public: other }, own.privateKey, aes, false, [
      "encrypt",
      "decrypt",
    ]);
  };
  const [here, there] = await Promise.all([agree(a, alicesKeys), agree(b, bobsKeys)]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const writer = (await a.createUnidirectionalStream()).getWriter();
  await writer.write(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, here, secret)));
  await writer.close();
  const [closed] = await received(b);
  expect(new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, there, closed!))).toEqual(secret);

  const everything = Buffer.concat(seen);
  expect(everything.includes(Buffer.from(closed!))).toBe(true); // as it is
  expect(everything.includes("treasure")).toBe(false);
  await hub.close();
});

/** Remembers what a Coordinator reads on data streams. */
function tapped(kind: TransportKind, seen: Uint8Array[]): TransportKind {
  return {
    name: kind.name,
    async listen() {
      const { listener, transport, url } = await kind.listen();
      const tap = (connection: Connection): Connection => {
        const streams = mapped(connection.incomingUnidirectionalStreams, (each) => each.pipeThrough(remembering(seen)));
        return withOther(connection, { incomingUnidirectionalStreams: streams });
      };
      const incomingConnections = mapped(listener.incomingConnections, tap);
      return { listener: withOther(listener, { incomingConnections }), transport, url };
    },
  };
}

function mapped<T>(stream: ReadableStream<T>, map: (each: T) => T): ReadableStream<T> {
  return stream.pipeThrough(new TransformStream({ transform: (each, to) => to.enqueue(map(each)) }));
}

/** An object with some of its properties exchanged. */
function withOther<T extends object>(object: T, other: Partial<T>): T {
  return new Proxy(object, {
    get: (target, key) => {
      const value: unknown = key in other ? other[key as keyof T] : Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function remembering(seen: Uint8Array[]): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      seen.push(chunk.slice());
      controller.enqueue(chunk);
    },
  });
}

/** The messages of the next stream. */
async function received(channel: Channel): Promise<Uint8Array<ArrayBuffer>[]> {
  return (await collect(await next(channel.incomingUnidirectionalStreams))) as Uint8Array<ArrayBuffer>[];
}

async function send(channel: Channel, count: number): Promise<void> {
  const writer = (await channel.createUnidirectionalStream()).getWriter();
  for (let index = 0; index < count; index += 1) await writer.write(message(index, 2000));
  await writer.close();
}

async function receive(channel: Channel, count: number): Promise<void> {
  const messages = await collect(await next(channel.incomingUnidirectionalStreams));
  expect(messages.length).toBe(count);
  expect(messages.every((each, index) => isMessage(each, index, 2000))).toBe(true);
}

async function exchange(a: Channel, b: Channel): Promise<void> {
  await Promise.all([send(a, 5), receive(b, 5), send(b, 5), receive(a, 5)]);
}
