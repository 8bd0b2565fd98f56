/** How Clients join and leave, over every transport. What becomes of those that misbehave: test/hostile/bad-input. */
import { describe, expect, test } from "vitest";
import { Client } from "../../src/index.ts";
import type { AuthenticateRequest, ClientOptions } from "../../src/index.ts";
import { collect, Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";

describe.each([memoryKind, quicKind])("joining over $name", (kind) => {
  test("authenticate sees what the Client says and names it", async () => {
    const requests: AuthenticateRequest[] = [];
    const hub = await Hub.start(kind, {
      authenticate: async (request) => {
        requests.push(request);
        return { id: `user-${request.requestedId}`, metadata: { admin: true } };
      },
    });
    const client = await hub.join("7", { credentials: { token: "secret" } });
    expect(client.id).toBe("user-7");
    expect(client.coordinator.peer.id).toBe("coordinator");
    const channel = await next(hub.coordinator.incomingChannels);
    expect(channel.peer).toEqual({ id: "user-7", metadata: { admin: true }, publicKey: client.publicKey });
    expect(hub.coordinator.clients.get("user-7")).toBe(channel);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ requestedId: "7", credentials: { token: "secret" }, transport: kind.name });
    expect(typeof requests[0]!.remote.host).toBe("string");
    await hub.close();
  });

  test("a Client without an id gets one", async () => {
    const hub = await Hub.start(kind);
    const [first, second] = [await hub.join(), await hub.join()];
    expect(first.id.length).toBeGreaterThan(8);
    expect(first.id).not.toBe(second.id);
    await hub.close();
  });

  test("a refused Client learns why", async () => {
    const hub = await Hub.start(kind, {
      authenticate: () => {
        throw new Error("wrong password");
      },
    });
    expect(await rejection(hub.join("eve"))).toMatchObject({
      code: "refused",
      message: "wrong password",
      remote: true,
    });
    expect(await hub.coordinator.getStats()).toMatchObject({ clients: 0, refused: { refused: 1 } });
    expect(hub.coordinator.clients.size).toBe(0);
    await hub.close();
  });

  test("the newest Client with an id takes it over", async () => {
    const hub = await Hub.start(kind, { duplicateId: "newest" });
    const old = await hub.join("alice");
    const fresh = await hub.join("alice");
    expect(await rejection(old.coordinator.closed)).toMatchObject({ code: "replaced", remote: true });
    await old.closed.catch(() => {});
    expect(hub.coordinator.clients.size).toBe(1);
    await roundTrip(hub, fresh);
    await hub.close();
  });

  test("or is refused", async () => {
    const hub = await Hub.start(kind, { duplicateId: "refuse" });
    const old = await hub.join("alice");
    expect(await rejection(hub.join("alice"))).toMatchObject({ code: "refused" });
    await roundTrip(hub, old);
    await old.close();
    await hub.coordinator.clients.get("alice")?.closed;
    await roundTrip(hub, await hub.join("alice"));
    await hub.close();
  });

  test("a full Coordinator refuses more Clients", async () => {
    const hub = await Hub.start(kind, { limits: { maxClients: 2 } });
    const first = await hub.join();
    await hub.join();
    expect(await rejection(hub.join())).toMatchObject({ code: "limit-exceeded" });
    await first.close();
    await roundTrip(hub, await hub.join("third"));
    await hub.close();
  });

  test("nobody reads incomingChannels, and everybody joins", async () => {
    const hub = await Hub.start(kind);
    const clients = await Promise.all(Array.from({ length: 40 }, (_, i) => hub.join(`client ${i}`)));
    expect(hub.coordinator.clients.size).toBe(40);
    await Promise.all(clients.slice(0, 39).map((client) => client.close()));
    for (const { id } of clients.slice(0, 39)) await hub.coordinator.clients.get(id)?.closed;
    expect((await next(hub.coordinator.incomingChannels)).peer.id).toBe("client 39");
    await hub.close();
  });

  test("what the Coordinator writes before the Client knows that it is in, arrives", async () => {
    const hub = await Hub.start(kind);
    const joined = (async () => {
      const channel = await next(hub.coordinator.incomingChannels);
      const writer = (await channel.createUnidirectionalStream({ name: "early" })).getWriter();
      await writer.write(new Uint8Array(5));
      await writer.close();
    })();
    const client = await hub.join("alice");
    const readable = await next(client.coordinator.incomingUnidirectionalStreams);
    expect((await collect(readable)).map(({ length }) => length)).toEqual([5]);
    await joined;
    await hub.close();
  });

  test("an aborted signal ends the joining", async () => {
    const hub = await Hub.start(kind, { authenticate: () => new Promise(() => {}) });
    expect(await rejection(hub.join("a", { signal: AbortSignal.abort("never") }))).toBe("never");
    const controller = new AbortController();
    const joining = rejection(hub.join("a", { signal: controller.signal }));
    controller.abort("enough");
    expect(await joining).toBe("enough");
    await hub.close();
  });

  test("transports are tried in order", async () => {
    const hub = await Hub.start(kind);
    const broken = { name: "broken", connect: () => Promise.reject(new Error("no such network")) };
    await roundTrip(hub, await hub.join("a", { transport: [broken, hub.transport] }));
    expect(await rejection(Client.connect(hub.url, { transport: [broken] }))).toMatchObject({
      code: "unreachable",
      message: "no such network",
    });
    for (const transport of [[], undefined, quicKind] as unknown as ClientOptions["transport"][]) {
      expect(await rejection(Client.connect(hub.url, { transport }))).toMatchObject({ code: "invalid-argument" });
    }
    await hub.close();
  });

  test("the Coordinator closes: everybody learns, everything settles", async () => {
    const hub = await Hub.start(kind);
    const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
    const [a, b] = await hub.link(alice, bob);
    const reading = rejection(collect(await opened(a, b)));
    await hub.coordinator.close({ closeCode: 12, reason: "maintenance" });
    expect(await alice.coordinator.closed).toEqual({ closeCode: 12, reason: "maintenance" });
    expect((await a.closed).reason).toBe("maintenance");
    expect((await b.closed).reason).toBe("maintenance");
    expect(await reading).toMatchObject({ code: "closed" });
    await Promise.all([alice.closed.catch(() => {}), bob.closed.catch(() => {}), hub.coordinator.closed]);
    expect(() => hub.coordinator.createChannel()).toThrow(expect.objectContaining({ code: "closed" }));
    await hub.close();
  });

  test("an id that cannot be", async () => {
    const hub = await Hub.start(kind);
    for (const id of ["", "a\nb", "x".repeat(300), "\u202e"]) {
      expect(await rejection(hub.join(id))).toMatchObject({ code: "invalid-argument" });
    }
    await hub.close();
  });
});

/** A data stream each way between a Client and the Coordinator. */
async function roundTrip(hub: Hub, client: Client): Promise<void> {
  const far = hub.coordinator.clients.get(client.id)!;
  for (const [from, to] of [
    [client.coordinator, far],
    [far, client.coordinator],
  ] as const) {
    const writable = await from.createUnidirectionalStream();
    const [, messages] = await Promise.all([writable.close(), next(to.incomingUnidirectionalStreams).then(collect)]);
    expect(messages).toEqual([]);
  }
}

async function opened(a: Client["coordinator"], b: Client["coordinator"]) {
  await a.createUnidirectionalStream();
  return await next(b.incomingUnidirectionalStreams);
}
