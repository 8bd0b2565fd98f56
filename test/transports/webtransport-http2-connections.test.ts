import { once } from "node:events";
import { connect, createSecureServer } from "node:http2";
import type { ClientHttp2Session, Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";

import { createSelfSignedCertificate } from "../../src/transports/quic/index.ts";
import { Http2Connections } from "../../src/transports/webtransport-server/http2-connections.ts";

const { cert, key } = createSelfSignedCertificate();

let server: Http2SecureServer;
let connections: Http2Connections;
let client: ClientHttp2Session;

/** A server, and a connection to it. */
async function connected(idleMs?: number): Promise<ServerHttp2Session> {
  server = createSecureServer({ cert, key });
  connections = new Http2Connections(server, idleMs);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = dial();
  const [connection] = (await once(server, "session")) as [ServerHttp2Session];
  if (client.connecting) await once(client, "connect");
  return connection;
}

function dial(): ClientHttp2Session {
  const { port } = server.address() as AddressInfo;
  const dialled = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  dialled.on("error", () => {});
  return dialled;
}

afterEach(async () => {
  server.close();
  await connections.close();
  client.destroy();
});

test("a connection that asks for nothing is closed", async () => {
  await connected(50);
  await once(client, "close");
});

test("a connection that carries something is not closed, but once it no longer does", async () => {
  const connection = await connected(50);
  server.on("stream", (stream) => stream.respond({ ":status": 200 }, { endStream: false }));
  const request = client.request({ ":path": "/" }, { endStream: false });
  await once(request, "response");
  await once(dial(), "close"); // a younger one
  expect(connection.closed).toBe(false);
  request.close();
  await once(client, "close");
});

test("a connection that was destroyed can be pinged, to no effect", async () => {
  const connection = await connected();
  connection.destroy();
  expect(connection.ping(() => {})).toBe(false);
});

test("connections that carry something still are ended as well", async () => {
  await connected();
  server.on("stream", (stream) => stream.on("error", () => {}));
  const request = client.request({ ":path": "/" }, { endStream: false });
  request.on("error", () => {});
  await once(server, "stream");
  server.close();
  const closed = once(server, "close");
  await connections.close();
  await closed;
});
