/** The policies of examples/policies, at a Coordinator and at Clients. */
import { describe, expect, test } from "vitest";
import { acceptKeys, allowList } from "../../examples/policies/allow-list.js";
import { acceptRoom, sameRoom } from "../../examples/policies/same-room.js";
import { generateKeyPair, publicKeyOf } from "../../src/index.ts";
import { Hub, memoryKind, quicKind, rejection } from "../support/hub.ts";

describe.each([memoryKind, quicKind])("over $name", (kind) => {
  test("same room: channels, and their passing on, stay in the room", async () => {
    const rooms = sameRoom();
    const hub = await Hub.start(kind, { authenticate: rooms.authenticate, authorize: rooms.authorize });
    const join = (id: string, room: string) =>
      hub.join(id, { credentials: { room }, ...(room === "red" && { accept: acceptRoom("red") }) });
    const [alice, bob, carol, dave] = [
      await join("alice", "red"),
      await join("bob", "red"),
      await join("carol", "red"),
      await join("dave", "blue"),
    ];
    expect(await rejection(hub.join("eve"))).toMatchObject({ message: "Say which room you want to enter" });
    const peer = (id: string) => hub.coordinator.clients.get(id)!.peer;
    expect(rooms.mayMeet(peer("alice"), peer("bob"))).toBe(true);
    expect(rooms.mayMeet(peer("alice"), peer("dave"))).toBe(false);
    // An application that asks nobody: the Client itself says no.
    expect(await rejection(hub.coordinator.introduce("alice", "dave"))).toMatchObject({ code: "refused" });

    const [aliceToBob] = await hub.link(alice, bob);
    const [aliceToCarol] = await hub.link(alice, carol);
    await aliceToCarol.sendChannel(aliceToBob);
    expect(await rejection(aliceToCarol.sendChannel(aliceToBob))).toMatchObject({ code: "detached" });
    // And not out of it, not even to the Coordinator.
    expect(await rejection(alice.coordinator.sendChannel(aliceToCarol))).toMatchObject({ code: "refused" });
    expect(dave.id).toBe("dave");
    await hub.close();
  });

  test("allow list: by key, whatever they call themselves", async () => {
    const [alices, bobs, eves] = [await generateKeyPair(), await generateKeyPair(), await generateKeyPair()];
    const members = new Map([
      [await publicKeyOf(alices), "alice"],
      [await publicKeyOf(bobs), "bob"],
    ]);
    const { authenticate, authorize } = allowList(members);
    const hub = await Hub.start(kind, { authenticate, authorize });
    expect(await rejection(hub.join("alice", { keyPair: eves }))).toMatchObject({ message: "You are not on the list" });
    const alice = await hub.join("somebody", { keyPair: alices });
    expect(alice.id).toBe("alice");
    const bob = await hub.join("bob", { keyPair: bobs, accept: acceptKeys([alice.publicKey]) });
    const [[first], [second]] = [await hub.link(alice, bob), await hub.link(alice, bob)];

    members.set(await publicKeyOf(eves), "eve");
    const eve = await hub.join("eve", { keyPair: eves });
    // A member now, but not one that bob knows.
    expect(await rejection(hub.coordinator.introduce("eve", "bob"))).toMatchObject({ code: "refused" });
    const [toEve] = await hub.link(alice, eve);
    await toEve.sendChannel(first);
    members.delete(eve.publicKey);
    expect(await rejection(toEve.sendChannel(second))).toMatchObject({ code: "refused" });
    await hub.close();
  });
});
