/** What a peer may do to `conec/webtransport-server` over HTTP/2: it loses its own session, and nobody else notices. */
import { randomBytes } from "node:crypto";
import type { ClientHttp2Stream } from "node:http2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as fc from "fast-check";

import type { Connection, Listener } from "../../src/index.ts";
import { listen } from "../../src/transports/webtransport-server/index.ts";
import { Hub, collect, next, webtransportHttp2Kind } from "../support/hub.ts";
import { newServer } from "../support/webtransport-http2.ts";
import { capsule, capsuleHead, capsuleTypes, Http2Client, received, statusOf } from "./http2-client.ts";

const { stream, streamWithFin } = capsuleTypes;

describe("a listener for WebTransport over HTTP/2", () => {
  let listener: Listener;
  let client: Http2Client;

  beforeEach(async () => {
    listener = await listen(newServer());
    client = await Http2Client.connect(listener.address.port);
  });

  afterEach(async () => {
    await client.close();
    await listener.close();
  });

  test.each([
    { what: "bytes of a stream of the server's that there is not", bytes: capsule(stream, [6], zeros(1)) },
    { what: "bytes of both ends' stream that there is not", bytes: capsule(stream, [8], zeros(1)) },
    { what: "more of a stream than its window", bytes: capsule(stream, [3], zeros(300_000)) },
    { what: "a stream beyond those that are allowed", bytes: capsule(stream, [4 * 10_001 + 3], zeros(1)) },
    { what: "word of being blocked beyond that", bytes: capsule(capsuleTypes.streamsBlockedBidirectional, [2 ** 40]) },
    { what: "a capsule that is too long", bytes: capsule(0x1234, [], zeros(100_000)) },
    { what: "a capsule of no reasonable length", bytes: capsuleHead(0x1234, 2 ** 52) },
  ])("ends a session for $what", async ({ bytes }) => {
    const session = await client.session();
    const connection = await next(listener.incomingConnections);
    const waiting = outcome((await connection.createUnidirectionalStream()).getWriter().closed);
    const ended = closeOf(session);
    session.write(bytes);
    await ended;
    await expect(connection.closed).rejects.toMatchObject({ code: "protocol-error", remote: true });
    expect(await waiting).toMatchObject({ remote: true });
    // On the same connection of HTTP/2.
    await client.session();
    await next(listener.incomingConnections);
  });

  test("ends a session with bytes for a stream of its own", async () => {
    const session = await client.session();
    const connection = await next(listener.incomingConnections);
    const writer = (await connection.createUnidirectionalStream()).getWriter();
    await writer.write(zeros(10));
    session.write(capsule(stream, [2], zeros(100)));
    session.write(capsule(streamWithFin, [2], zeros(100)));
    session.write(capsule(capsuleTypes.close, [], Uint8Array.of(0, 0, 0, 5, 0x68, 0x69)));
    await expect(writer.closed).rejects.toMatchObject({ source: "connection" });
    expect(["resolved", expect.objectContaining({ code: "protocol-error" })]).toContainEqual(
      await outcome(connection.closed),
    );
  });

  test("takes an end that follows a drain for what it is", async () => {
    const session = await client.session();
    const connection = await next(listener.incomingConnections);
    const { writable, readable } = await connection.createBidirectionalStream();
    const read = outcome(readable.getReader().read());
    session.write(capsule(capsuleTypes.drain, []));
    session.write(capsule(capsuleTypes.close, [], Uint8Array.of(0, 0, 0, 5, 0x68, 0x69)));
    expect(await connection.closed).toEqual({ closeCode: 5, reason: "hi" });
    expect(await read).toMatchObject({ code: "closed" });
    await expect(writable.getWriter().closed).rejects.toMatchObject({ code: "closed" });
  });

  test("takes the end of the request for a close without words", async () => {
    const session = await client.session();
    const connection = await next(listener.incomingConnections);
    session.end();
    expect(await connection.closed).toEqual({ closeCode: 0, reason: "" });
  });

  test("tells a connection that was lost from one that was closed", async () => {
    await client.session();
    const connection = await next(listener.incomingConnections);
    await client.close();
    await expect(connection.closed).rejects.toMatchObject({ code: "connection-lost", remote: true });
  });

  test("keeps no datagrams", async () => {
    const sessions: { datagrams: { readable: ReadableStream } }[] = [];
    const server = newServer();
    const onSession = server.onHttpWTSessionVisitor.bind(server);
    server.onHttpWTSessionVisitor = (event) => {
      onSession(event);
      sessions.push(event.session.jsobj as never);
    };
    const other = await listen(server);
    const sender = await Http2Client.connect(other.address.port);
    const session = await sender.session();
    const connection = await next(other.incomingConnections);
    session.write(capsule(capsuleTypes.datagram, [], zeros(1000)));
    session.write(capsule(stream, [3], zeros(1)));
    await next(connection.incomingUnidirectionalStreams);
    await other.close();
    // What the server's end has kept comes before the end of the stream.
    const kept = await sessions[0]!.datagrams.readable.getReader().read();
    expect(kept.done).toBe(true);
    await sender.close();
  });

  test("refuses what still comes when nobody takes streams any more", async () => {
    const session = await client.session();
    const connection = await next(listener.incomingConnections);
    await connection.incomingUnidirectionalStreams.cancel();
    await connection.incomingBidirectionalStreams.cancel();
    const refused = received(session, capsuleTypes.stopSending, 2);
    session.write(capsule(stream, [3], zeros(10)));
    session.write(capsule(stream, [1], zeros(10)));
    await refused;
    session.end();
    expect(await connection.closed).toEqual({ closeCode: 0, reason: "" });
  });

  test("survives any capsules while both ends use streams", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCapsule, { minLength: 1, maxLength: 30 }), async (capsules) => {
        const session = await client.session();
        const busy = useStreams(await next(listener.incomingConnections));
        session.write(Buffer.concat([capsule(stream, [1], zeros(10)), capsule(stream, [3], zeros(10))]));
        for (const bytes of capsules) session.write(bytes);
        session.end();
        await busy;
        session.destroy();
      }),
      { numRuns: 200 },
    );
  });

  test("answers what is no session, and survives requests that are given up at once", async () => {
    const webSocket = { ":protocol": "websocket", "sec-websocket-protocol": "webtransport_kDraft1" };
    expect(await statusOf(client.request(webSocket))).toBe(404);
    await closeOf(client.request({ ":protocol": "connect-udp" }));
    for (let i = 0; i < 300; i++) client.request(i % 2 === 0 ? {} : { ":protocol": "other" }).close(8);
    await client.session();
  });
});

describe("a Coordinator over HTTP/2", () => {
  let hub: Hub;
  let exchange: () => Promise<void>;

  beforeAll(async () => {
    hub = await Hub.start(webtransportHttp2Kind);
    const alice = await hub.join("alice");
    const far = await next(hub.coordinator.incomingChannels);
    exchange = async () => {
      const writer = (await alice.coordinator.createUnidirectionalStream()).getWriter();
      void writer.write(zeros(1000));
      const [messages] = await Promise.all([collect(await next(far.incomingUnidirectionalStreams)), writer.close()]);
      expect(messages).toHaveLength(1);
    };
  });

  afterAll(() => hub.close());

  test("takes any capsules from anyone", { timeout: 60_000 }, async () => {
    const client = await Http2Client.connect(Number(new URL(hub.url).port));
    await fc.assert(
      fc.asyncProperty(fc.array(anyCapsule, { minLength: 1, maxLength: 30 }), async (capsules) => {
        const session = await client.session();
        for (const bytes of capsules) session.write(bytes);
        session.end();
        await exchange();
        session.destroy();
      }),
      { numRuns: 100 },
    );
    await client.close();
    await exchange();
  });

  test("takes any bytes from anyone", async () => {
    const client = await Http2Client.connect(Number(new URL(hub.url).port));
    for (let i = 0; i < 50; i++) {
      const session = await client.session();
      for (let k = 0; k < 20; k++) session.write(randomBytes(500));
      session.end();
      await exchange();
    }
    await client.close();
  });

  test("takes a thousand sessions that say nothing, and their sudden end", async () => {
    const client = await Http2Client.connect(Number(new URL(hub.url).port));
    const sessions = Array.from({ length: 1000 }, () => client.request());
    const answers = await Promise.all(sessions.map(statusOf));
    expect(new Set(answers)).toEqual(new Set([200]));
    await exchange();
    await client.close();
    await exchange();
  });
});

/** Capsules of all kinds, for streams of both ends that there are and are not, right and wrong. */
const anyCapsule = fc
  .record({
    type: fc.constantFrom(...Object.values(capsuleTypes), 0x1234),
    numbers: fc.array(fc.oneof(fc.nat(20), fc.nat(2 ** 31 - 1), fc.maxSafeInteger().map(Math.abs)), { maxLength: 2 }),
    payload: fc.uint8Array({ maxLength: 2000 }),
    length: fc.oneof({ weight: 20, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(100_000) }),
  })
  .map(({ type, numbers, payload, length }) =>
    length === undefined ? capsule(type, numbers, payload) : Buffer.concat([capsuleHead(type, length), payload]),
  );

/** Opens and reads streams of all kinds. Resolves when all of that has come to its end, whatever end. */
async function useStreams(connection: Connection): Promise<void> {
  const pump = async (writable: WritableStream<Uint8Array>): Promise<void> => {
    const writer = writable.getWriter();
    for (;;) await writer.write(zeros(1000));
  };
  const opened = async (): Promise<void> => {
    const { readable, writable } = await connection.createBidirectionalStream();
    await Promise.all([readable.pipeTo(new WritableStream()), pump(writable)]);
  };
  const incoming = async (): Promise<void> => {
    for await (const readable of connection.incomingUnidirectionalStreams) readable.cancel().catch(() => {});
  };
  const echoes = async (): Promise<void> => {
    for await (const { readable, writable } of connection.incomingBidirectionalStreams) {
      readable.pipeTo(writable).catch(() => {});
    }
  };
  const aborted = async (): Promise<void> => await (await connection.createUnidirectionalStream()).abort();
  const written = async (): Promise<void> => await pump(await connection.createUnidirectionalStream());
  await Promise.all([opened(), incoming(), echoes(), aborted(), written()].map(outcome));
  await outcome(connection.closed);
}

function zeros(length: number): Uint8Array {
  return new Uint8Array(length);
}

/** Resolves when a request is over, whatever the reason. */
function closeOf(request: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => request.once("close", () => resolve()));
}

/** What a promise rejects with, or `"resolved"`. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
}
