/** Channels that are made, introduced, sent and passed on, over every transport. */
import { describe, expect, test } from "vitest";
import type { Channel, ChannelOffer } from "../../src/index.ts";
import { collect, Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { controlStreamOn, joinByHand } from "../support/join-by-hand.ts";
import { message } from "../support/messages.ts";

describe.each([memoryKind, quicKind])("passing channels over $name", (kind) => {
  test("introduce gives both Clients a channel to each other", async () => {
    const hub = await Hub.start(kind, {
      authenticate: ({ requestedId }) => ({ id: requestedId, metadata: { team: requestedId![0]! } }),
    });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const link = await hub.coordinator.introduce("alice", "bob", { metadata: { room: 7 } });
    const [a, b] = [await next(alice.incomingChannels), await next(bob.incomingChannels)];
    expect(a.peer).toMatchObject({ id: "bob", metadata: { team: "b" } });
    expect(b.peer).toMatchObject({ id: "alice", metadata: { team: "a" } });
    expect([a.metadata, b.metadata, link.metadata]).toEqual([{ room: 7 }, { room: 7 }, { room: 7 }]);
    await exchange(a, b);
    expect((await a.getStats()).relayed).toBe(true);
    expect((await alice.coordinator.getStats()).relayed).toBe(false);
    expect(await hub.coordinator.getStats()).toMatchObject({ clients: 2, links: 1 });
    await a.close({ closeCode: 3, reason: "bye" });
    expect(await link.closed).toEqual({ closeCode: 3, reason: "bye" });
    expect(await b.closed).toEqual({ closeCode: 3, reason: "bye" });
    expect(await hub.coordinator.getStats()).toMatchObject({ links: 0 });
    await hub.close();
  });

  test("an introduction that one side refuses reaches the other as closed", async () => {
    const hub = await Hub.start(kind);
    const offers: ChannelOffer[] = [];
    const alice = await hub.join("alice");
    await hub.join("bob", {
      accept: (offer) => {
        offers.push(offer);
        throw new Error("not now");
      },
    });
    expect(await rejection(hub.coordinator.introduce("alice", "bob", { metadata: { n: 1 } }))).toMatchObject({
      code: "refused",
      message: "not now",
      remote: true,
    });
    expect(offers).toMatchObject([{ peer: { id: "alice", metadata: {} }, metadata: { n: 1 } }]);
    expect(await hub.coordinator.getStats()).toMatchObject({ links: 0 });
    // Another introduction still works, and the first channel is not in the way.
    const carol = await hub.join("carol");
    await exchange(...(await linkAfterClosed(hub, alice, carol)));
    await hub.close();
  });

  test("an introduction to somebody who is not here", async () => {
    const hub = await Hub.start(kind);
    await hub.join("alice");
    expect(await rejection(hub.coordinator.introduce("alice", "nobody"))).toMatchObject({ code: "peer-lost" });
    expect(await rejection(hub.coordinator.introduce("alice", "alice", { metadata: { f: Number.NaN } }))).toMatchObject(
      { code: "invalid-argument" },
    );
    await hub.close();
  });

  test("a Client that goes away during an introduction", async () => {
    const hub = await Hub.start(kind);
    const alice = await hub.join("alice");
    let leave = (): void => {};
    const asked = new Promise<void>((resolve) => (leave = resolve));
    const bob = await hub.join("bob", {
      accept: async () => {
        leave();
        await new Promise(() => {});
      },
    });
    const introducing = rejection(hub.coordinator.introduce("alice", "bob"));
    await asked;
    await bob.close();
    expect(await introducing).toMatchObject({ code: "peer-lost" });
    await alice.close();
    await hub.close();
  });

  test("createChannel: both ends are sent", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const { port1, port2 } = hub.coordinator.createChannel();
    await hub.coordinator.clients.get("alice")!.sendChannel(port1, { metadata: { to: "alice" } });
    await hub.coordinator.clients.get("bob")!.sendChannel(port2, { metadata: { to: "bob" } });
    const [a, b] = [await next(alice.incomingChannels), await next(bob.incomingChannels)];
    expect([a.metadata, b.metadata]).toEqual([{ to: "alice" }, { to: "bob" }]);
    await exchange(a, b);
    expect(a.peer.id).toBe("bob");
    expect(b.peer.id).toBe("alice");
    expect(await rejection(port1.createUnidirectionalStream())).toMatchObject({ code: "detached" });
    expect(await rejection(port1.close())).toMatchObject({ code: "detached" });
    expect(await rejection(port1.closed)).toMatchObject({ code: "detached" });
    expect(await rejection(hub.coordinator.clients.get("bob")!.sendChannel(port1))).toMatchObject({ code: "detached" });
    await hub.close();
  });

  test("createChannel: the Coordinator keeps an end, and uses both before it sends one", async () => {
    const hub = await Hub.start(kind);
    const { port1, port2 } = hub.coordinator.createChannel();
    await exchange(port1, port2);
    const alice = await hub.join("alice");
    // What is opened to an end on its way waits for whoever gets it.
    const sending = hub.coordinator.clients.get("alice")!.sendChannel(port1);
    const writable = await port2.createUnidirectionalStream({ name: "early" });
    const written = writable.getWriter().write(message(0, 100));
    await sending;
    const a = await next(alice.incomingChannels);
    expect((await next(a.incomingUnidirectionalStreams)).name).toBe("early");
    await written;
    await exchange(a, port2);
    expect((await port2.getStats()).transport).toBe("local");
    await hub.close();
  });

  test("a refused end stays where it was", async () => {
    const hub = await Hub.start(kind);
    await hub.join("alice", { accept: () => false });
    const { port1, port2 } = hub.coordinator.createChannel();
    expect(await rejection(hub.coordinator.clients.get("alice")!.sendChannel(port1))).toMatchObject({
      code: "refused",
    });
    await exchange(port1, port2);
    await hub.close();
  });

  test("a Client passes its end on to its peer", async () => {
    const asked: unknown[] = [];
    const hub = await Hub.start(kind, {
      authorize: (request) => {
        asked.push(request);
        return true;
      },
    });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    const [ab, ba] = await hub.link(alice, bob);
    const [ac, ca] = await hub.link(alice, carol);
    await exchange(ab, ba); // the streams of before are counted on
    const changed = new Promise<void>((resolve) => ba.addEventListener("peerchange", () => resolve(), { once: true }));

    await ac.sendChannel(ab, { metadata: { why: "lunch" } });

    const cb = await next(carol.incomingChannels);
    await changed;
    expect(ba.peer.id).toBe("carol");
    expect(cb.peer.id).toBe("bob");
    expect(cb.metadata).toEqual({ why: "lunch" });
    await exchange(cb, ba);
    await exchange(ba, cb);
    expect(await rejection(ab.createUnidirectionalStream())).toMatchObject({ code: "detached", source: "channel" });
    expect(await rejection(ac.sendChannel(ab))).toMatchObject({ code: "detached" });
    expect(asked).toMatchObject([
      {
        action: "sendChannel",
        from: { id: "alice", metadata: {} },
        to: { id: "carol", metadata: {} },
        metadata: { why: "lunch" },
      },
    ]);
    await exchange(ac, ca);
    await cb.close({ closeCode: 9 });
    expect((await ba.closed).closeCode).toBe(9);
    await hub.close();
  });

  test("passing on is refused by default, by a reason, by the receiver; and the channel goes on here", async () => {
    let authorize: (() => boolean) | undefined;
    const hub = await Hub.start(kind, { authorize: () => authorize?.() ?? false });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    let accepting = true;
    const carol = await hub.join("carol", { accept: () => accepting });
    const [ab, ba] = await hub.link(alice, bob);
    const [ac] = await hub.link(alice, carol);
    expect(await rejection(ac.sendChannel(ab))).toMatchObject({ code: "refused", remote: true });
    authorize = () => {
      throw new Error("not on Mondays");
    };
    expect(await rejection(ac.sendChannel(ab))).toMatchObject({ code: "refused", message: "not on Mondays" });
    authorize = () => true;
    accepting = false;
    expect(await rejection(ac.sendChannel(ab))).toMatchObject({ code: "refused" });
    await exchange(ab, ba);
    await exchange(ba, ab);
    expect(ba.peer.id).toBe("alice");
    await hub.close();
  });

  test("a channel with open streams is not passed on", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    const [ab, ba] = await hub.link(alice, bob);
    const [ac] = await hub.link(alice, carol);
    const writable = await ab.createUnidirectionalStream();
    expect(await rejection(ac.sendChannel(ab))).toMatchObject({ code: "streams-open" });
    await Promise.all([writable.close(), next(ba.incomingUnidirectionalStreams).then(collect)]);
    await ac.sendChannel(ab);
    await exchange(await next(carol.incomingChannels), ba);
    await hub.close();
  });

  test("what cannot be passed on", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [ab, ba] = await hub.link(alice, bob);
    const invalid = { code: "invalid-argument" };
    expect(await rejection(ab.sendChannel(alice.coordinator))).toMatchObject(invalid);
    expect(await rejection(ab.sendChannel(ab))).toMatchObject(invalid);
    expect(await rejection(ab.sendChannel(ba))).toMatchObject(invalid); // of another Client
    expect(await rejection(ab.sendChannel({} as Channel))).toMatchObject(invalid);
    expect(
      await rejection(hub.coordinator.clients.get("alice")!.sendChannel(hub.coordinator.clients.get("bob")!)),
    ).toMatchObject(invalid);
    await exchange(ab, ba);
    await hub.close();
  });

  test("a Client hands its end to the Coordinator itself", async () => {
    const hub = await Hub.start(kind, { authorize: ({ to }) => to.id === "coordinator" });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [ab, ba] = await hub.link(alice, bob);
    await alice.coordinator.sendChannel(ab, { metadata: { here: true } });
    const port = await next(hub.coordinator.passedChannels);
    expect(port.metadata).toEqual({ here: true });
    expect(port.peer.id).toBe("bob");
    await exchange(port, ba);
    expect(ba.peer.id).toBe("coordinator");
    await hub.close();
  });

  test("the far end closes while an end is being passed on: everybody learns, everything settles", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    let decide = (_: boolean): void => {};
    let asked = (): void => {};
    const deciding = new Promise<void>((resolve) => (asked = resolve));
    const answer = new Promise<boolean>((resolve) => (decide = resolve));
    let asks = 0;
    const carol = await hub.join("carol", {
      accept: async () => {
        asks += 1;
        if (asks === 1) return true;
        asked();
        return await answer;
      },
    });
    for (const accepts of [false, true]) {
      asks = 0;
      const [ac] = await hub.link(alice, carol);
      const [ab, ba] = await hub.link(alice, bob);
      const passing = rejection(ac.sendChannel(ab));
      await deciding;
      await ba.close({ closeCode: 5, reason: "too late" });
      decide(accepts);
      await passing;
      expect(await ab.closed).toEqual({ closeCode: 5, reason: "too late" });
      expect(await rejection(ab.createUnidirectionalStream())).toMatchObject({ code: "closed" });
      await ac.close();
    }
    await hub.close();
  });

  test("an end that is used and passed on before the other one is accepted", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    let decide = (): void => {};
    const decision = new Promise<boolean>((resolve) => (decide = () => resolve(true)));
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob", { accept: () => decision })];
    const introducing = hub.coordinator.introduce("alice", "bob");
    const early = await next(alice.incomingChannels);
    const writer = (await early.createUnidirectionalStream({ name: "given up" })).getWriter();
    writer.write(message(0, 100)).catch(() => {});
    await writer.abort();
    await alice.coordinator.sendChannel(early);
    decide();
    await introducing;
    const [held, b] = [await next(hub.coordinator.passedChannels), await next(bob.incomingChannels)];
    expect((await next(b.incomingUnidirectionalStreams)).name).toBe("given up");
    await exchange(held, b);
    await hub.close();
  });

  test("an end that is passed on often keeps its credit", async () => {
    const hub = await Hub.start(kind, { authorize: () => true, limits: { streamsPerChannel: 8 } });
    const [alice, bob, carol] = [await hub.join("alice"), await hub.join("bob"), await hub.join("carol")];
    const [ac, ca] = await hub.link(alice, carol);
    const [ab, ba] = await hub.link(alice, bob);
    let [end, via, next_, back] = [ab, ac, carol, ca];
    for (let i = 0; i < 20; i++) {
      await exchange(ba, end);
      await via.sendChannel(end);
      end = await next(next_.incomingChannels);
      [via, back, next_] = [back, via, next_ === carol ? alice : carol];
    }
    const opened = await Promise.all(Array.from({ length: 8 }, () => ba.createUnidirectionalStream()));
    expect(opened).toHaveLength(8);
    await hub.close();
  });

  test("who has handed an end over has no say in it any more", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const bob = await hub.join("bob");
    const connection = await hub.transport.connect(hub.url);
    await joinByHand(connection, hub.url, "mallory");
    const introducing = hub.coordinator.introduce("mallory", "bob");
    const control = controlStreamOn(await next(connection.incomingBidirectionalStreams));
    await control.expect(["channel"], 5_000);
    void control.send({ type: "accept" });
    await introducing;
    const b = await next(bob.incomingChannels);

    void control.send({ type: "sendChannel", via: 0, metadata: {} });
    void control.send({ type: "close", closeCode: 66, reason: "mine, still" });
    await control.expect(["accept"], 5_000);

    const port = await next(hub.coordinator.passedChannels);
    await exchange(port, b);
    await port.close({ closeCode: 1 });
    expect(await b.closed).toEqual({ closeCode: 1, reason: "" });
    connection.close();
    await hub.close();
  });

  test("both ends are passed on at the same time", async () => {
    const hub = await Hub.start(kind, { authorize: () => true });
    const clients = await Promise.all(["alice", "bob", "carol", "dave"].map((id) => hub.join(id)));
    const [alice, bob, carol, dave] = clients as [
      (typeof clients)[0],
      (typeof clients)[0],
      (typeof clients)[0],
      (typeof clients)[0],
    ];
    const [ab, ba] = await hub.link(alice, bob);
    const [ac] = await hub.link(alice, carol);
    const [bd] = await hub.link(bob, dave);
    await Promise.all([ac.sendChannel(ab), bd.sendChannel(ba)]);
    const [cd, dc] = [await next(carol.incomingChannels), await next(dave.incomingChannels)];
    await exchange(cd, dc);
    await exchange(dc, cd);
    expect([cd.peer.id, dc.peer.id]).toEqual(["dave", "carol"]);
    await hub.close();
  });

  test("channels that nobody takes are bounded, then refused", async () => {
    const hub = await Hub.start(kind);
    await hub.join("alice", { limits: { unreadChannels: 2 } });
    await hub.join("bob");
    await hub.coordinator.introduce("alice", "bob");
    await hub.coordinator.introduce("alice", "bob");
    expect(await rejection(hub.coordinator.introduce("alice", "bob"))).toMatchObject({ code: "limit-exceeded" });
    await hub.close();
  });

  test("a Client gets no more channels than it may have", async () => {
    const hub = await Hub.start(kind, { limits: { channelsPerClient: 2 } });
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [first] = await hub.link(alice, bob);
    await hub.link(alice, bob);
    expect(await rejection(hub.coordinator.introduce("alice", "bob"))).toMatchObject({ code: "limit-exceeded" });
    await first.close();
    await exchange(...(await hub.link(alice, bob)));
    await hub.close();
  });

  test("an introduction that is given up", async () => {
    const hub = await Hub.start(kind);
    await hub.join("alice");
    const controller = new AbortController();
    await hub.join("bob", {
      accept: async () => {
        controller.abort("changed my mind");
      },
    });
    expect(await rejection(hub.coordinator.introduce("alice", "bob", { signal: controller.signal }))).toBe(
      "changed my mind",
    );
    expect(await rejection(hub.coordinator.introduce("alice", "bob", { signal: AbortSignal.abort("no") }))).toBe("no");
    await hub.close();
  });
});

/** Sends three messages each way and checks them. */
async function exchange(a: Channel, b: Channel): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const writable = await from.createUnidirectionalStream({ name: "exchange" });
    const writer = writable.getWriter();
    for (let i = 0; i < 3; i++) writer.write(message(i, 1000 * i)).catch(() => {});
    const [, messages] = await Promise.all([writer.close(), next(to.incomingUnidirectionalStreams).then(collect)]);
    expect(messages.map((bytes) => bytes.length)).toEqual([0, 1000, 2000]);
  }
}

/** A new channel for two Clients of which the first may still be told of one that came to nothing. */
async function linkAfterClosed(
  hub: Hub,
  first: Awaited<ReturnType<Hub["join"]>>,
  second: Awaited<ReturnType<Hub["join"]>>,
): Promise<[Channel, Channel]> {
  await hub.coordinator.introduce(first.id, second.id);
  const b = await next(second.incomingChannels);
  for (;;) {
    const a = await next(first.incomingChannels);
    if (a.peer.id === second.id) return [a, b];
  }
}
