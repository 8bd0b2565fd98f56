/** The HTTP server beside a Coordinator: what it answers, and what a hostile one gets. */
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { observe } from "../../src/observe/index.ts";
import type { LiveView, Observer, ObserverListenOptions, ObserverServer } from "../../src/observe/index.ts";
import { Hub, memoryKind, rejection } from "../support/hub.ts";
import { parsePrometheus } from "./prometheus-parser.ts";

let hub: Hub;
let observer: Observer;
const sockets: Socket[] = [];
beforeAll(async () => {
  hub = await Hub.start(memoryKind);
  observer = observe(hub.coordinator);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  await observer.close();
  await hub.close();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

async function ask(
  { address }: ObserverServer,
  path: string,
  { method = "GET", headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const request = httpRequest({ ...address, path, method, headers, agent: false });
  request.on("error", () => {}); // it may have been hung up on while it sends
  request.end(body);
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return { status: response.statusCode, headers: response.headers, body: text };
}

async function listen(options?: ObserverListenOptions): Promise<ObserverServer> {
  return await observer.listen(options);
}

/** A connection on which anything can be said. */
async function dial({ address }: ObserverServer): Promise<Socket> {
  const socket = connect(address);
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

test("its few paths, by GET and HEAD only, on this machine only", async () => {
  const server = await listen();
  expect(server.address.host).toBe("127.0.0.1");
  const types = {
    "/": "text/html; charset=utf-8",
    "/page.css": "text/css; charset=utf-8",
    "/page.js": "text/javascript; charset=utf-8",
    "/live.json": "application/json",
    "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    "/health": "text/plain; charset=utf-8",
  };
  for (const [path, type] of Object.entries(types)) {
    const got = await ask(server, path);
    expect(got).toMatchObject({ status: 200, headers: { "content-type": type, "cache-control": "no-store" } });
    expect(got.body.length).toBeGreaterThan(1);
    expect(await ask(server, path, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await ask(server, `${path}?x=1`)).toMatchObject({ status: 200 });
  }
  parsePrometheus((await ask(server, "/metrics")).body);
  expect((JSON.parse((await ask(server, "/live.json")).body) as LiveView).totals.clients).toBe(0);

  for (const path of [
    "/page/index.html",
    "/../package.json",
    "/%2e%2e/package.json",
    "//",
    "/metrics/",
    "/favicon.ico",
  ])
    expect(await ask(server, path)).toMatchObject({ status: 404, body: "Not here\n" });
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    expect(await ask(server, "/metrics", { method })).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  expect(await ask(server, "/metrics", { headers: { "content-length": "3" }, body: "abc" })).toMatchObject({
    status: 400,
  });
  await server.close();
});

test("a strict Content-Security-Policy, and nothing for other sites", async () => {
  const server = await listen();
  for (const path of ["/", "/live.json", "/nowhere"]) {
    const { headers } = await ask(server, path);
    const policy = headers["content-security-policy"] as string;
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /);
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
  await server.close();
});

test("a name of somebody else's that leads here (DNS rebinding) is refused, unless it was allowed", async () => {
  const server = await listen();
  const statusBy = async (of: ObserverServer, host: string): Promise<number> =>
    (await ask(of, "/live.json", { headers: { host } })).status;
  const { port } = server.address;
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[x]",
  ])
    expect([host, await statusBy(server, host)]).toEqual([host, 403]);
  for (const host of ["localhost", `LOCALHOST:${port}`, `127.0.0.1:${port}`, "[::1]", `[::1]:${port}`])
    expect([host, await statusBy(server, host)]).toEqual([host, 200]);
  const named = await listen({ hostnames: ["conec.example"] });
  expect([await statusBy(named, "conec.example"), await statusBy(named, "evil.example")]).toEqual([200, 403]);
  await server.close();
  await named.close();
});

test("slow, endless and broken requests are hung up on; the others go on", async () => {
  const server = await listen();
  const slow = await dial(server);
  slow.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  const slowEnded = once(slow, "close");
  slow.resume();

  const long = await dial(server);
  long.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`);
  const [tooLong] = await once(long, "data");
  expect(String(tooLong)).toMatch(/^HTTP\/1\.1 431 /);

  const broken = await dial(server);
  broken.write("HELO conec\r\n\r\n");
  const [notHttp] = await once(broken, "data");
  expect(String(notHttp)).toMatch(/^HTTP\/1\.1 400 /);

  const upgrading = await dial(server);
  upgrading.write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [plain] = await once(upgrading, "data");
  expect(String(plain)).toMatch(/^HTTP\/1\.1 200 /);

  expect((await ask(server, "/health")).body).toBe("ok\n");
  await slowEnded;
  await server.close();
});

test("no more than 64 connections at once", async () => {
  const server = await listen();
  const waiting = await Promise.all(Array.from({ length: 64 }, () => dial(server)));
  const oneTooMany = await dial(server);
  await once(oneTooMany.resume(), "close");
  waiting[0]!.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [answer] = await once(waiting[0]!, "data");
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  await server.close();
});

test("all who look within a second cost one view", async () => {
  const server = await listen();
  const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await ask(server, "/live.json")).body));
  expect(new Set(bodies).size).toBeLessThanOrEqual(2);
  await server.close();
});

test("a port that is taken, an address that is not here", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  expect(await rejection(listen({ port }))).toMatchObject({ code: "address-in-use" });
  expect(await rejection(listen({ host: "192.0.2.1" }))).toMatchObject({ code: "invalid-argument" });
  expect(await rejection(listen({ port: 70_000 }))).toMatchObject({ code: "invalid-argument" });
  await new Promise((resolve) => taken.close(resolve));
});

test("closing the observer closes its servers and hangs up on everybody", async () => {
  const own = observe(hub.coordinator);
  const server = await own.listen();
  const socket = await dial(server);
  const ended = once(socket.resume(), "close");
  await own.close();
  await ended;
  await server.closed;
});
