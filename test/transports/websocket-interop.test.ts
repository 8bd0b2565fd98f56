/** The same draft of QMux as somebody else wrote it: our listener with their client, our client with their server. */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { default as Session } from "@moq/qmux";

import type { Connection } from "../../src/core/transport.ts";
import { listen, websocket } from "../../src/transports/websocket/node/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { next, rejection } from "../support/hub.ts";

const authority = createAuthority();
const certificate = authority.issue();
const { ca } = authority;
const protocol = "qmux-02.conec-1";

let TheirSession: typeof Session;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  // Node 20 does not have it, and they need it. Each test file has a process of its own.
  (Promise as { withResolvers?: unknown }).withResolvers ??= () => {
    let settle!: { resolve: unknown; reject: unknown };
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    return { promise, ...settle };
  };
  ({ default: TheirSession } = await import("@moq/qmux"));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Ends {
  theirs: Session;
  ours: Connection;
}

async function withTheirClient(): Promise<Ends> {
  const listener = await listen({ host: "127.0.0.1", ...certificate });
  cleanups.push(() => listener.close());
  const socket = new WebSocket(`wss://127.0.0.1:${listener.address.port}`, [protocol], {
    ca,
    perMessageDeflate: false,
  });
  cleanups.push(() => socket.terminate());
  await new Promise((resolve) => socket.once("open", resolve));
  const theirs = new TheirSession(socket as never);
  return { theirs, ours: await next(listener.incomingConnections) };
}

async function withTheirServer(): Promise<Ends> {
  const https = createServer(certificate);
  const webSockets = new WebSocketServer({ server: https, perMessageDeflate: false, handleProtocols: () => protocol });
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<WebSocket>((resolve) => webSockets.once("connection", resolve));
  const theirs = accepted.then((socket) => {
    cleanups.push(() => socket.terminate());
    return TheirSession.accept(socket as never);
  });
  cleanups.push(() => new Promise((resolve) => https.close(resolve)));
  const ours = await websocket({ ca }).connect(`https://127.0.0.1:${(https.address() as AddressInfo).port}`);
  cleanups.push(() => ours.close());
  return { theirs: await theirs, ours };
}

async function lengthOf(readable: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of readable) length += chunk.length;
  return length;
}

describe.each([
  { name: "their client at our listener", meet: withTheirClient },
  { name: "our client at their server", meet: withTheirServer },
])("$name", ({ meet }) => {
  test("bytes there and back, many windows of them, opened by either end", async () => {
    const { theirs, ours } = await meet();
    const size = 3_000_000;
    const near = await theirs.createBidirectionalStream();
    const sending = new Blob([new Uint8Array(size)]).stream().pipeTo(near.writable);
    const far = await next(ours.incomingBidirectionalStreams);
    const [length] = await Promise.all([lengthOf(near.readable), far.readable.pipeTo(far.writable), sending]);
    expect(length).toBe(size);
    const writable = await ours.createUnidirectionalStream();
    const receiving = next(theirs.incomingUnidirectionalStreams).then(lengthOf);
    await new Blob([new Uint8Array(size)]).stream().pipeTo(writable);
    expect(await receiving).toBe(size);
  });

  test("more streams than they allow at once", async () => {
    const { theirs, ours } = await meet();
    const incoming = theirs.incomingUnidirectionalStreams.getReader();
    const reading = Array.from({ length: 250 }, async () => await lengthOf((await incoming.read()).value!));
    await Promise.all(
      reading.map(async (_, index) => {
        const writer = (await ours.createUnidirectionalStream()).getWriter();
        await writer.write(new Uint8Array(index + 1));
        await writer.close();
      }),
    );
    const lengths = await Promise.all(reading);
    expect(lengths.toSorted((a, b) => a - b)).toEqual(lengths.map((_, index) => index + 1));
  });

  test("aborts and cancels with their codes", async () => {
    const { theirs, ours } = await meet();
    const near = await ours.createBidirectionalStream();
    const writer = near.writable.getWriter();
    await writer.write(new Uint8Array(5));
    const far = await next(theirs.incomingBidirectionalStreams);
    const reader = far.readable.getReader();
    await reader.read();
    await writer.abort({ streamErrorCode: 77 });
    expect(await rejection(reader.read())).toMatchObject({ streamErrorCode: 77 });
    await near.readable.cancel({ streamErrorCode: 78 });
    expect(await rejection(far.writable.getWriter().closed)).toMatchObject({ streamErrorCode: 78 });

    const back = await theirs.createBidirectionalStream();
    const backWriter = back.writable.getWriter();
    await backWriter.write(new Uint8Array(5));
    const met = await next(ours.incomingBidirectionalStreams);
    const metReader = met.readable.getReader();
    await metReader.read();
    await backWriter.abort({ streamErrorCode: 79 });
    expect(await rejection(metReader.read())).toMatchObject({ code: "aborted", streamErrorCode: 79 });
    await back.readable.cancel({ streamErrorCode: 80 });
    expect(await rejection(met.writable.getWriter().closed)).toMatchObject({ code: "cancelled", streamErrorCode: 80 });
  });

  test("a close with its code and reason, from either end", async () => {
    const first = await meet();
    first.ours.close({ closeCode: 9, reason: "ours" });
    expect(await first.theirs.closed).toEqual({ closeCode: 9, reason: "ours" });
    const second = await meet();
    second.theirs.close({ closeCode: 10, reason: "theirs" });
    expect(await second.ours.closed).toEqual({ closeCode: 10, reason: "theirs" });
  });
});
