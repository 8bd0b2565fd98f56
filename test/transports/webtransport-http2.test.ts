/** `conec/webtransport-server`, with `conec/webtransport` in Node: classes of @fails-components/webtransport at both ends. */
import { describe, expect, test } from "vitest";

import type { Connection } from "../../src/index.ts";
import { listen } from "../../src/transports/webtransport-server/index.ts";
import { Http3Server, http3Missing, WebTransport } from "../support/fails-components.ts";
import { collect, next, rejection } from "../support/hub.ts";
import { message } from "../support/messages.ts";
import { cert, dial, hash, key, newServer } from "../support/webtransport-http2.ts";
import { transportContract } from "./contract.ts";
import { Http2Client, statusOf } from "./http2-client.ts";

transportContract("webtransport over HTTP/2", async () => {
  const listener = await listen(newServer(), { path: "/contract" });
  const client = await dial(listener, "/contract");
  const server = await next(listener.incomingConnections);
  return { client, server, close: () => listener.close() };
});

test("the first stream of the server is whole", async () => {
  const listener = await listen(newServer());
  const client = await dial(listener);
  const far = await next(listener.incomingConnections);
  const { writable } = await far.createBidirectionalStream();
  const writer = writable.getWriter();
  const sent = Array.from({ length: 30 }, (_, index) => message(index, 100_000));
  for (const part of sent) writer.write(part).catch(() => {});
  const writing = writer.close();
  const { readable } = await next(client.incomingBidirectionalStreams);
  expect(Buffer.concat(await collect(readable)).equals(Buffer.concat(sent))).toBe(true);
  await writing;
  await listener.close();
});

test("what was unread on streams that were cancelled does not hold the others back", async () => {
  const listener = await listen(newServer());
  const client = await dial(listener);
  const far = await next(listener.incomingConnections);
  for (let i = 0; i < 120; i++) {
    const writer = (await client.createUnidirectionalStream()).getWriter();
    // More than the window of a stream; all of them together more than that of the session.
    writer.write(new Uint8Array(300_000)).catch(() => {});
    const readable = await next(far.incomingUnidirectionalStreams);
    await exchange(client, far);
    await readable.cancel();
    await rejection(writer.closed);
  }
  await exchange(client, far);
  await listener.close();
});

test("streams that are over leave nothing behind, at either end", async () => {
  const natives: { capsParser: { wtstreams: Map<bigint, unknown> } }[] = [];
  const server = newServer();
  const onSession = server.onHttpWTSessionVisitor.bind(server);
  server.onHttpWTSessionVisitor = (event) => {
    natives.push(event.session as never);
    onSession(event);
  };
  let sessionint!: { objint?: unknown };
  class Kept extends WebTransport {
    constructor(...args: ConstructorParameters<typeof WebTransport>) {
      super(...args);
      sessionint = this.sessionint;
    }
  }
  const listener = await listen(server);
  const client = await dial(listener, "/", { WebTransport: Kept });
  natives.push(sessionint.objint as never);
  const far = await next(listener.incomingConnections);
  for (let i = 0; i < 10; i++) {
    await useUp(client, far);
    await useUp(far, client);
  }
  // What is sent now comes after everything that was said of those streams.
  await exchange(client, far);
  await exchange(far, client);
  expect(natives.map(({ capsParser }) => capsParser.wtstreams.size <= 2)).toEqual([true, true]);
  await listener.close();
});

/** Opens streams of all kinds and ends them in all ways. */
async function useUp(from: Connection, to: Connection): Promise<void> {
  await exchange(from, to);
  const closed = await from.createUnidirectionalStream();
  await closed.close();
  await collect(await next(to.incomingUnidirectionalStreams));
  const aborted = await from.createUnidirectionalStream();
  const cancelled = await from.createUnidirectionalStream();
  for (const writable of [aborted, cancelled]) {
    const writer = writable.getWriter();
    writer.write(new Uint8Array(1_000_000)).catch(() => {});
    writer.releaseLock();
  }
  const incoming = [
    await next(to.incomingUnidirectionalStreams),
    await next(to.incomingUnidirectionalStreams),
  ] as const;
  await incoming[1].cancel();
  await rejection(cancelled.getWriter().closed);
  await aborted.abort();
  await rejection(collect(incoming[0]));
  const both = await from.createBidirectionalStream();
  both.writable
    .getWriter()
    .write(new Uint8Array(1_000_000))
    .catch(() => {});
  const other = await next(to.incomingBidirectionalStreams);
  await Promise.all([other.readable.cancel(), other.writable.abort()]);
  await rejection(collect(both.readable));
}

/** A few bytes there and back. */
async function exchange(from: Connection, to: Connection): Promise<void> {
  const near = await from.createBidirectionalStream();
  await near.writable.close();
  const far = await next(to.incomingBidirectionalStreams);
  await Promise.all([collect(far.readable), far.writable.close(), collect(near.readable)]);
}

describe("listen", () => {
  test("says where it listens and who is there", async () => {
    const listener = await listen(newServer());
    expect(listener.address).toEqual({ host: "127.0.0.1", port: expect.any(Number) as number });
    expect(await listener.getStats()).toEqual({ connections: 0 });
    const client = await dial(listener, "/room?x=1");
    const server = await next(listener.incomingConnections);
    expect(await listener.getStats()).toEqual({ connections: 1 });
    expect(server.transport).toBe("webtransport");
    expect(server.remote).toEqual({ host: "127.0.0.1", port: expect.any(Number) as number, path: "/room?x=1" });
    expect(client.remote).toEqual({ host: "127.0.0.1", port: listener.address.port });
    expect(client.server?.certificateHashes).toEqual([hash]);
    expect(server.server?.certificateHashes).toEqual([hash]);
    expect(server.server?.hasName?.("localhost")).toBe(true);
    expect(server.server?.hasName?.("elsewhere.example")).toBe(false);
    await listener.close();
  });

  test("closes everything that came in, and frees the port", async () => {
    const listener = await listen(newServer());
    const { port } = listener.address;
    const client = await dial(listener);
    await next(listener.incomingConnections);
    const idle = await Http2Client.connect(port);
    await listener.close({ closeCode: 7, reason: "over" });
    await listener.closed;
    expect(await client.closed).toEqual({ closeCode: 7, reason: "over" });
    await expect(next(listener.incomingConnections)).rejects.toThrow("at its end");
    const again = await listen(newServer({ port }));
    await again.close();
    await idle.close();
  });

  test("is closed when its server is stopped", async () => {
    const server = newServer();
    const listener = await listen(server);
    const client = await dial(listener);
    server.stopServer();
    await listener.closed;
    expect(await client.closed).toEqual({ closeCode: 0, reason: "" });
  });

  test("turns away those that nobody takes", async () => {
    const listener = await listen(newServer());
    await listener.incomingConnections.cancel();
    const client = await dial(listener);
    expect(await client.closed).toEqual({ closeCode: 0, reason: "Nobody takes connections" });
    await listener.close();
  });

  test("keeps to its path, and leaves others to the server's own callback", async () => {
    const server = newServer();
    server.setRequestCallback(async () => ({ status: 418, path: "/other" }));
    const listener = await listen(server, { path: "/mine" });
    const client = await Http2Client.connect(listener.address.port);
    expect(await statusOf(client.request({ ":path": "/mine" }))).toBe(200);
    expect(await statusOf(client.request({ ":path": "/mine?x=1" }))).toBe(200);
    expect(await statusOf(client.request({ ":path": "/mine/too" }))).toBe(418);
    await client.close();
    await listener.close();
  });

  test("keeps to the origins that are allowed; who names none, or none that a browser would, is let in", async () => {
    const listener = await listen(newServer(), { allowedOrigins: ["https://app.example"] });
    const client = await Http2Client.connect(listener.address.port);
    expect(await statusOf(client.request({ origin: "https://app.example" }))).toBe(200);
    expect((await next(listener.incomingConnections)).remote.origin).toBe("https://app.example");
    expect(await statusOf(client.request({ origin: "https://evil.example" }))).toBe(403);
    expect(await statusOf(client.request({ origin: "null" }))).toBe(403);
    expect(await statusOf(client.request())).toBe(200);
    await dial(listener);
    await client.close();
    await listener.close();
  });

  test.each<{ what: string; code: string; server: () => ReturnType<typeof newServer>; options?: object }>([
    { what: "no certificate", code: "invalid-argument", server: () => newServer({ cert: "" }) },
    { what: "a bad key", code: "invalid-argument", server: () => newServer({ privKey: "x" }) },
    { what: "a host that is not this one", code: "invalid-argument", server: () => newServer({ host: "192.0.2.1" }) },
    { what: "a path without a slash", code: "invalid-argument", server: newServer, options: { path: "x" } },
    { what: "no origin", code: "invalid-argument", server: newServer, options: { allowedOrigins: ["app.example"] } },
    { what: "no server", code: "invalid-argument", server: () => ({}) as never },
  ])("refuses $what", async ({ code, server, options }) => {
    expect(await rejection(listen(server(), options))).toMatchObject({ name: "ConecError", code });
  });

  test("refuses a path whose sessions somebody else reads", async () => {
    const server = newServer();
    server.sessionStream("/taken").getReader();
    expect(await rejection(listen(server, { path: "/taken" }))).toMatchObject({ code: "invalid-argument" });
  });

  test("refuses a server that was started, a port that is taken, and to start for a signal that was aborted", async () => {
    const server = newServer();
    const listener = await listen(server);
    expect(await rejection(listen(server))).toMatchObject({ code: "invalid-argument" });
    const { port } = listener.address;
    expect(await rejection(listen(newServer({ port })))).toMatchObject({ code: "address-in-use" });
    const reason = new Error("no more");
    expect(await rejection(listen(newServer(), { signal: AbortSignal.abort(reason) }))).toBe(reason);
    await listener.close();
  });

  test("says what HTTP/3 needs where it is not there", async (context) => {
    context.skip(http3Missing === undefined, "the HTTP/3 addon is installed");
    const options = { port: 0, host: "127.0.0.1", secret: "secret", cert, privKey: key };
    const server = new Http3Server(options as ConstructorParameters<typeof Http3Server>[0]);
    expect(await rejection(listen(server))).toMatchObject({ code: "unsupported" });
  });
});
