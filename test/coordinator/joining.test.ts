/** How Clients join and leave, and what a Coordinator does with those that misbehave, over every transport. */
import { describe, expect, test } from "vitest";
import { Client } from "../../src/index.ts";
import type { AuthenticateRequest, ClientOptions, Connection } from "../../src/index.ts";
import { encodeControlMessage } from "../../src/core/control-messages.ts";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { endMarker, headerLength, writeHeader } from "../../src/streams/framing.ts";
import { encodeVarints } from "../../src/streams/varint.ts";
import { collect, Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { joinByHand } from "../support/join-by-hand.ts";
import { message } from "../support/messages.ts";

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

  describe("a Client that misbehaves loses its connection, and nobody else notices", () => {
    const hello: ControlMessage = { type: "hello", versions: [1] };
    const join = (connection: Connection, hub: Hub) => joinByHand(connection, hub.url, "eve");
    const cases: [name: string, misbehave: (connection: Connection, hub: Hub) => Promise<void>][] = [
      ["says nothing", async () => {}],
      ["is no conec", (connection) => sendControl(connection, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"))],
      ["says hello in no JSON", (connection) => sendControl(connection, frame(Uint8Array.of(0xff, 0xfe)))],
      ["announces a huge hello", (connection) => sendControl(connection, encodeVarints(2 ** 40))],
      ["ends before hello", (connection) => sendControl(connection, endMarker)],
      ["begins with something else", (connection) => sendControl(connection, frame({ type: "accept" }))],
      ["speaks no version of ours", (connection) => sendControl(connection, frame({ type: "hello", versions: [99] }))],
      ["says hello twice", (connection) => sendControl(connection, frame(hello), frame(hello))],
      [
        "opens two control streams",
        async (connection, hub) => {
          await join(connection, hub);
          await sendControl(connection, frame(hello));
        },
      ],
      ["sends data before it has joined", (connection) => sendData(connection, encodeVarints(0, 0, 2, 1))],
      [
        "uses a channel that is not there",
        async (connection, hub) => {
          await join(connection, hub);
          await sendData(connection, encodeVarints(77, 0, 2, 1));
        },
      ],
      [
        "uses an id of the other end",
        async (connection, hub) => {
          await join(connection, hub);
          await sendData(connection, encodeVarints(0, 1, 2, 1));
        },
      ],
      [
        "opens a stream out of turn",
        async (connection, hub) => {
          const control = await join(connection, hub);
          await control.send({ type: "open", stream: 4, name: "", metadata: {} });
        },
      ],
      [
        "opens more streams than it may",
        async (connection, hub) => {
          const control = await join(connection, hub);
          for (let i = 0; i <= 16; i++) await control.send({ type: "open", stream: i * 2, name: "", metadata: {} });
        },
      ],
      [
        "confirms what was never sent",
        async (connection, hub) => {
          const control = await join(connection, hub);
          await control.send({ type: "finished", stream: 1 });
        },
      ],
      [
        "claims to be somebody else",
        async (connection, hub) => {
          const control = await join(connection, hub);
          await control.send({ type: "peer", peer: { id: "alice", metadata: {} } });
        },
      ],
      [
        "sends an unknown message",
        async (connection, hub) => {
          const control = await join(connection, hub);
          await control.send({ type: "frobnicate" } as unknown as ControlMessage);
        },
      ],
      [
        "sends hostile metadata",
        async (connection, hub) => {
          const control = await join(connection, hub);
          await control.send({
            type: "open",
            stream: 0,
            name: "",
            metadata: JSON.parse('{"__proto__":1}') as Record<string, number>,
          });
        },
      ],
    ];

    test.each(cases)("%s", { timeout: 10_000 }, async (_, misbehave) => {
      const hub = await Hub.start(kind, { limits: { authenticateTimeoutMs: 200, streamsPerChannel: 16 } });
      const [alice, bob] = [await hub.join("alice"), await hub.join("bob")];
      const [a, b] = await hub.link(alice, bob);
      const writable = await a.createUnidirectionalStream();
      const writing = (async () => {
        const writer = writable.getWriter();
        for (let i = 0; i < 200; i++) await writer.write(message(i, 10_000));
        await writer.close();
      })();
      const receiving = next(b.incomingUnidirectionalStreams).then(collect);

      const connection = await hub.transport.connect(hub.url);
      await misbehave(connection, hub).catch(() => {}); // the connection may be closed in the middle of it
      await connection.closed.catch(() => {});

      expect((await receiving).length).toBe(200);
      await writing;
      expect(hub.coordinator.clients.has("eve")).toBe(false);
      await hub.close();
    });
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

async function sendControl(connection: Connection, ...chunks: Uint8Array[]): Promise<void> {
  const { writable } = await connection.createBidirectionalStream();
  const writer = writable.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
}

async function sendData(connection: Connection, bytes: Uint8Array): Promise<void> {
  await (await connection.createUnidirectionalStream()).getWriter().write(bytes);
}

/** A message, framed. */
function frame(content: ControlMessage | Uint8Array): Uint8Array {
  const body = content instanceof Uint8Array ? content : encodeControlMessage(content);
  const bytes = new Uint8Array(headerLength(body.length) + body.length);
  bytes.set(body, writeHeader(bytes, 0, body.length));
  return bytes;
}
