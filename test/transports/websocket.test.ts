import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer, get, request } from "node:https";
import { connect, createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";

import type { Connection } from "../../src/core/transport.ts";
import { listen as listenQuic, createSelfSignedCertificate } from "../../src/transports/quic/index.ts";
import { websocket as browserWebSocket } from "../../src/transports/websocket/browser.ts";
import type { WebSocketConstructor } from "../../src/transports/websocket/browser.ts";
import { listen, websocket } from "../../src/transports/websocket/node/index.ts";
import type {
  WebSocketListener,
  WebSocketListenOptions,
  WebSocketListenOwnOptions,
  WebSocketOptions,
} from "../../src/transports/websocket/node/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { transportContract } from "./contract.ts";
import type { ConnectedPair } from "./contract.ts";

const authority = createAuthority();
const server = authority.issue();
const { ca } = authority;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listening(options: Partial<WebSocketListenOwnOptions> = {}): Promise<WebSocketListener> {
  const listener = await listen({ host: "127.0.0.1", ...server, ...options });
  cleanups.push(() => listener.close());
  return listener;
}

async function dialled(port: number, options: WebSocketOptions = {}, place = "127.0.0.1"): Promise<Connection> {
  const url = new URL(`https://${place}`);
  url.port = String(port);
  const connection = await websocket({ ca, ...options }).connect(url);
  cleanups.push(() => connection.close());
  return connection;
}

/** The server's end of the next connection. */
async function accepted(listener: WebSocketListener): Promise<Connection> {
  const reader = listener.incomingConnections.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) throw new Error("the listener closed");
  return value;
}

/** Sends bytes there and back. */
async function echo(client: Connection, far: Connection, bytes = 1000): Promise<void> {
  const { readable, writable } = await client.createBidirectionalStream();
  const writer = writable.getWriter();
  const writing = writer.write(new Uint8Array(bytes)).then(() => writer.close());
  const incoming = far.incomingBidirectionalStreams.getReader();
  const { value } = await incoming.read();
  incoming.releaseLock();
  const piping = value?.readable.pipeTo(value.writable);
  let length = 0;
  for await (const chunk of readable) length += chunk.length;
  await Promise.all([writing, piping]);
  expect(length).toBe(bytes);
}

/** Listens on a free port of 127.0.0.1 until the end of the test. */
async function bound(tcp: Server): Promise<number> {
  const sockets = new Set<Socket>();
  tcp.on("connection", (socket: Socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => tcp.close(resolve));
  });
  return (tcp.address() as AddressInfo).port;
}

async function connectedPair(connect: (url: string) => Promise<Connection>): Promise<ConnectedPair> {
  const listener = await listen({ host: "127.0.0.1", ...server });
  const url = `https://127.0.0.1:${listener.address.port}`;
  const [client, far] = await Promise.all([connect(url), accepted(listener)]);
  return {
    client,
    server: far,
    async close() {
      client.close();
      await listener.close();
    },
  };
}

/** What a browser has, with our authority: the same events, the same properties. */
class TrustingWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { ca, perMessageDeflate: false });
  }
}
const asInBrowsers = { WebSocket: TrustingWebSocket as unknown as WebSocketConstructor };

transportContract("websocket", () => connectedPair((url) => websocket({ ca }).connect(url)));
transportContract("websocket, the browser's client", () =>
  connectedPair((url) => browserWebSocket(asInBrowsers).connect(url)),
);

describe("addresses", () => {
  test.each([
    { host: "127.0.0.1", place: "127.0.0.1" },
    { host: "::1", place: "[::1]" },
    { host: undefined, place: "127.0.0.1" },
    { host: undefined, place: "[::1]" },
    { host: undefined, place: "localhost" },
    { host: "127.0.0.1", place: "localhost" },
    { host: "localhost", place: "localhost" },
  ])("listen on $host, dial $place", async ({ host, place }) => {
    const listener = await listening({ host });
    const client = await dialled(listener.address.port, {}, place);
    const far = await accepted(listener);
    await echo(client, far, 100_000);
    expect(["127.0.0.1", "::1"]).toContain(far.remote.host);
    expect(["127.0.0.1", "::1"]).toContain(client.remote.host);
    expect(client.remote.port).toBe(listener.address.port);
  });

  test("from a chosen local address", async () => {
    const listener = await listening();
    await dialled(listener.address.port, { localAddress: "127.0.0.2" });
    expect((await accepted(listener)).remote.host).toBe("127.0.0.2");
  });

  test("the same port number as QUIC", async () => {
    const udp = await listenQuic({ host: "127.0.0.1", ...server });
    cleanups.push(() => udp.close());
    const listener = await listening({ port: udp.address.port });
    await dialled(udp.address.port);
    expect(listener.address).toEqual(udp.address);
  });

  test("a port that is taken, and free again", async () => {
    const listener = await listening();
    const { port } = listener.address;
    await expect(listening({ port })).rejects.toMatchObject({ code: "address-in-use" });
    await listener.close({ reason: "moving" });
    await expect(listener.closed).resolves.toBeUndefined();
    await listening({ port });
  });

  test("a listener that closes tells its clients and its reader", async () => {
    const listener = await listening();
    const client = await dialled(listener.address.port);
    await accepted(listener);
    const next = listener.incomingConnections.getReader().read();
    await listener.close({ closeCode: 3, reason: "maintenance" });
    expect(await client.closed).toEqual({ closeCode: 3, reason: "maintenance" });
    expect((await next).done).toBe(true);
  });

  test("path and query reach the listener", async () => {
    const listener = await listening();
    await dialled(listener.address.port, {}, "127.0.0.1/rooms/7?key=a%20b");
    expect((await accepted(listener)).remote).toMatchObject({ path: "/rooms/7?key=a%20b" });
    await dialled(listener.address.port);
    const { remote } = await accepted(listener);
    expect(remote.path).toBe("/");
    expect(remote.origin).toBeUndefined();
  });
});

describe("certificates", () => {
  test.each(["ecdsa", "ed25519", "rsa"] as const)("%s; both ends know its hash", async (keyKind) => {
    const certificate = authority.issue({ keyKind });
    const listener = await listening(certificate);
    const client = await dialled(listener.address.port, {}, "localhost");
    const far = await accepted(listener);
    await echo(client, far);
    const hash = createHash("sha256").update(client.remote.certificates![0]!).digest();
    expect(hash.equals(certificate.hash)).toBe(true);
    for (const end of [client, far]) expect(end.server?.certificateHashes).toEqual([certificate.hash]);
    expect([far.server?.hasName?.("localhost"), far.server?.hasName?.("x.test")]).toEqual([true, false]);
    expect(far.remote.certificates).toBeUndefined();
  });

  test.each([
    { problem: "of another authority", cert: createAuthority().issue(), code: "certificate-untrusted" },
    { problem: "self-signed", cert: createSelfSignedCertificate(), code: "certificate-untrusted" },
    { problem: "expired", cert: authority.issue({ validDays: [-3, -1] }), code: "certificate-expired" },
    { problem: "not valid yet", cert: authority.issue({ validDays: [1, 3] }), code: "certificate-expired" },
    { problem: "for other names", cert: authority.issue({ hosts: ["x.test"] }), code: "certificate-name-mismatch" },
  ])("$problem: $code, by name and by address", async ({ cert, code }) => {
    const listener = await listening({ cert: cert.cert, key: cert.key });
    for (const host of ["localhost", "127.0.0.1"]) {
      await expect(dialled(listener.address.port, {}, host)).rejects.toMatchObject({ code, remote: true });
    }
    expect((await listener.getStats()).accepted).toBe(0);
  });

  test("of an authority that nobody was told about: not trusted by default", async () => {
    const listener = await listening();
    await expect(websocket().connect(`https://localhost:${listener.address.port}`)).rejects.toMatchObject({
      code: "certificate-untrusted",
    });
  });

  test("the name may be given", async () => {
    const listener = await listening(authority.issue({ hosts: ["coordinator.test"] }));
    await dialled(listener.address.port, { serverName: "coordinator.test" });
    await expect(dialled(listener.address.port, { serverName: "other.test" })).rejects.toMatchObject({
      code: "certificate-name-mismatch",
    });
  });

  test("pinned by hash: whatever name and authority, but not expired, and no other", async () => {
    const good = createSelfSignedCertificate({ hosts: ["x.test"] });
    const other = createSelfSignedCertificate();
    const old = authority.issue({ validDays: [-3, -1] });
    const serverCertificateHashes = [good.hash, old.hash].map((value) => ({ algorithm: "sha-256", value }));
    const listener = await listening(good);
    for (const host of ["localhost", "127.0.0.1"]) {
      await dialled(listener.address.port, { serverCertificateHashes }, host);
    }
    for (const [certificate, code] of [
      [other, "certificate-untrusted"],
      [old, "certificate-expired"],
      [server, "certificate-untrusted"], // trusted, but for the pins
    ] as const) {
      listener.updateCertificate(certificate);
      const dialling = dialled(listener.address.port, { serverCertificateHashes });
      await expect(dialling).rejects.toMatchObject({ code });
    }
  });

  test("replaced while connections are open", async () => {
    const listener = await listening();
    const early = await dialled(listener.address.port);
    const earlyFar = await accepted(listener);
    const second = createAuthority("another");
    const replacement = second.issue();
    listener.updateCertificate(replacement);
    await echo(early, earlyFar);
    expect(earlyFar.server?.certificateHashes).toEqual([server.hash]);
    await expect(dialled(listener.address.port)).rejects.toMatchObject({ code: "certificate-untrusted" });
    await dialled(listener.address.port, { ca: [ca, second.ca] });
    expect((await accepted(listener)).server?.certificateHashes).toEqual([replacement.hash]);
  });

  const rsaKey = authority.issue({ keyKind: "rsa" }).key;
  test.each([
    { what: "no PEM", identity: { cert: "", key: server.key } },
    { what: "a broken certificate", identity: { cert: server.cert.replace(/[A-Z]{6}/, "??????"), key: server.key } },
    { what: "no key", identity: { cert: server.cert, key: "" } },
    { what: "the key of another", identity: { cert: server.cert, key: authority.issue().key } },
    { what: "a key of another kind", identity: { cert: server.cert, key: rsaKey } },
    { what: "nothing", identity: { cert: undefined as unknown as string, key: undefined as unknown as string } },
  ])("the listener does not take $what", async ({ identity }) => {
    await expect(listening(identity)).rejects.toMatchObject({ code: "invalid-argument" });
    const listener = await listening();
    expect(() => listener.updateCertificate(identity)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    await dialled(listener.address.port);
  });
});

describe("no connection", () => {
  test("nobody listens", async () => {
    const listener = await listening();
    await listener.close();
    for (const host of ["127.0.0.1", "localhost"]) {
      await expect(dialled(listener.address.port, {}, host)).rejects.toMatchObject({ code: "unreachable" });
    }
  });

  test("a host that does not exist", async () => {
    const dialling = websocket({ ca }).connect("https://no-such-host.invalid:1");
    await expect(dialling).rejects.toMatchObject({ code: "unreachable" });
  });

  /** Servers that let a client wait: at each step of the way. */
  const silent = {
    "before TLS": () => createTcpServer((socket) => void socket.resume()),
    "before the answer to the request": () => createHttpsServer(server, () => {}).on("upgrade", () => {}),
    "before QMux": () => {
      const https = createHttpsServer(server);
      const webSockets = new WebSocketServer({ server: https, perMessageDeflate: false });
      https.on("close", () => webSockets.close());
      return https;
    },
  };

  test.each(Object.entries(silent))("somebody listens and says nothing %s", async (_when, create) => {
    const port = await bound(create());
    await expect(dialled(port, { connectTimeoutMs: 200 })).rejects.toMatchObject({ code: "timeout" });
  });

  test.each(Object.entries(silent))("the caller gives up %s", async (_when, create) => {
    const tcp = create();
    const port = await bound(tcp);
    const reason = new Error("changed my mind");
    const controller = new AbortController();
    const ended = new Promise<void>((resolve) => {
      tcp.once("connection", (socket: Socket) => {
        socket.once("close", () => resolve());
        setTimeout(() => controller.abort(reason), 20);
      });
    });
    const connecting = websocket({ ca }).connect(`https://127.0.0.1:${port}`, { signal: controller.signal });
    await expect(connecting).rejects.toBe(reason);
    await ended;
  });

  test("the caller had given up before", async () => {
    const reason = new Error("changed my mind");
    const signal = AbortSignal.abort(reason);
    await expect(websocket({ ca }).connect("https://127.0.0.1:1", { signal })).rejects.toBe(reason);
    await expect(browserWebSocket(asInBrowsers).connect("https://127.0.0.1:1", { signal })).rejects.toBe(reason);
    await expect(listening({ signal })).rejects.toBe(reason);
  });

  test.each([
    { what: "no TLS", create: () => createHttpServer(), code: "alpn-mismatch" },
    {
      what: "another protocol in TLS",
      create: () => createTlsServer({ ...server, ALPNProtocols: ["smtp"] }),
      code: "alpn-mismatch",
    },
    { what: "web pages", create: () => createHttpsServer(server, (_, answer) => answer.end()), code: "alpn-mismatch" },
    {
      what: "WebSockets of something else",
      create: () => {
        const https = createHttpsServer(server);
        const webSockets = new WebSocketServer({ server: https, handleProtocols: () => false });
        https.on("close", () => webSockets.close());
        return https;
      },
      code: "alpn-mismatch",
    },
    {
      what: "refusals",
      create: () => createHttpsServer(server, (_, answer) => answer.writeHead(503).end()),
      code: "refused",
    },
    { what: "nobody for long", create: () => createTcpServer((socket) => socket.destroy()), code: "unreachable" },
  ])("a server of $what: $code", async ({ create, code }) => {
    const port = await bound(create());
    await expect(dialled(port)).rejects.toMatchObject({ code });
  });

  test.each([
    "http://127.0.0.1:1",
    "wss://127.0.0.1:1",
    "127.0.0.1:1",
    "https://127.0.0.1:0",
    "https://127.0.0.1:1/#part",
    "",
    "https://127.0.0.1:99999",
  ])("not an address: %s", async (url) => {
    for (const transport of [websocket({ ca }), browserWebSocket(asInBrowsers)]) {
      await expect(transport.connect(url)).rejects.toMatchObject({ code: "invalid-argument" });
    }
  });

  test.each<WebSocketOptions>([
    { connectTimeoutMs: 0 },
    { connectTimeoutMs: 2 ** 31 },
    { idleTimeoutMs: -1 },
    { keepAliveIntervalMs: Number.POSITIVE_INFINITY },
    { localAddress: "localhost" },
    { ca: "nothing" },
    { ca: [] },
    { serverCertificateHashes: [{ algorithm: "sha-1", value: new Uint8Array(20) }] },
    { serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(31) }] },
  ])("not an option: %o", (options) => {
    expect(() => websocket(options)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test.each<Partial<WebSocketListenOwnOptions>>([
    { port: -1 },
    { port: 65_536 },
    { idleTimeoutMs: 0 },
    { limits: { maxHalfOpen: -1 } },
    { limits: { handshakeTimeoutMs: 2 ** 31 } },
    { limits: { toString: 1 } as object },
    { allowedOrigins: ["app.example"] },
    { host: "no-such-host.invalid" },
  ])("not an option of a listener: %o", async (options) => {
    await expect(listening(options)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("the browser's half needs nothing of Node", async () => {
    const entry = fileURLToPath(new URL("../../src/transports/websocket/browser.ts", import.meta.url));
    // Fails where something of Node is imported, which is not there on this platform.
    const { metafile } = await build({ entryPoints: [entry], bundle: true, platform: "browser", write: false, metafile: true }); // prettier-ignore
    expect(Object.keys(metafile.inputs).filter((path) => /node_modules|websocket\/node\//.test(path))).toEqual([]);
    await stop();
  });

  test("the browser's half says what it cannot do, and where it cannot be", async () => {
    for (const options of [{ ca }, { serverCertificateHashes: [] }, { serverName: "x" }, { localAddress: "::1" }]) {
      expect(() => browserWebSocket(options as object)).toThrow(expect.objectContaining({ code: "unsupported" }));
    }
    const nowhere = browserWebSocket({ WebSocket: 7 as unknown as WebSocketConstructor });
    await expect(nowhere.connect("https://127.0.0.1:1")).rejects.toMatchObject({ code: "unsupported" });
    const listener = await listening({ allowedOrigins: ["https://app.example"] });
    const { port } = listener.address;
    await listener.close();
    const gone = browserWebSocket(asInBrowsers).connect(`https://127.0.0.1:${port}`);
    await expect(gone).rejects.toMatchObject({ code: "unreachable" });
  });
});

describe("requests", () => {
  const subprotocol = "qmux-02.conec-1";
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol": `other, ${subprotocol}`,
  };

  /** The status that a request is answered with; the connection ends then. */
  async function status(port: number, headers: Record<string, string>, method = "GET"): Promise<number> {
    return await new Promise((resolve, reject) => {
      const asking = request({ host: "127.0.0.1", port, ca, headers, method, agent: false });
      asking.on("error", reject);
      asking.on("upgrade", ({ statusCode }, socket) => {
        socket.destroy();
        resolve(statusCode!);
      });
      asking.on("response", (response) => {
        response.resume();
        response.on("close", () => resolve(response.statusCode!));
      });
      asking.end();
    });
  }

  test.each([
    { what: "a plain one", headers: {}, expected: 426 },
    { what: "one with a body", headers: { "content-length": "0" }, method: "POST", expected: 426 },
    { what: "conec's", headers: upgrade, expected: 101 },
    { what: "one for another protocol", headers: { ...upgrade, "sec-websocket-protocol": "mqtt" }, expected: 400 },
    { what: "one for no protocol", headers: { ...upgrade, "sec-websocket-protocol": "" }, expected: 400 },
    { what: "one that is not for a WebSocket", headers: { ...upgrade, upgrade: "h2c" }, expected: 400 },
    { what: "one without a key", headers: { ...upgrade, "sec-websocket-key": "" }, expected: 400 },
    { what: "one of another version", headers: { ...upgrade, "sec-websocket-version": "12" }, expected: 400 },
    { what: "one with POST", headers: upgrade, method: "POST", expected: 405 },
    { what: "an allowed origin", headers: { ...upgrade, origin: "https://app.example" }, expected: 101 },
    { what: "another origin", headers: { ...upgrade, origin: "https://evil.example" }, expected: 403 },
    { what: "the origin null", headers: { ...upgrade, origin: "null" }, expected: 403 },
    { what: "headers without end", headers: { ...upgrade, cookie: "x".repeat(10_000) }, expected: 431 },
  ])("$what: $expected", async ({ headers, method, expected }) => {
    const listener = await listening({ allowedOrigins: ["https://app.example"] });
    expect(await status(listener.address.port, headers as Record<string, string>, method)).toBe(expected);
    await dialled(listener.address.port); // others notice nothing
  });

  test("the answer to a plain request says what is wanted", async () => {
    const { port } = (await listening()).address;
    const answer = await new Promise<Record<string, unknown>>((resolve) => {
      get({ host: "127.0.0.1", port, ca, agent: false }, (response) => {
        response.resume();
        resolve(response.headers);
      });
    });
    expect(answer).toMatchObject({ upgrade: "websocket", connection: "upgrade, close" });
  });

  test("the origin reaches the listener", async () => {
    const listener = await listening();
    const socket = new WebSocket(`wss://127.0.0.1:${listener.address.port}`, [subprotocol], {
      ca,
      origin: "https://app.example",
    });
    socket.on("open", () => socket.send(Buffer.from("ff5153300d0a0d0a00", "hex"))); // transport parameters: none
    expect((await accepted(listener)).remote.origin).toBe("https://app.example");
    socket.terminate();
  });
});

describe("a server that is there", () => {
  async function attached(options: Omit<Extract<WebSocketListenOptions, { server: object }>, "server"> = {}) {
    const https = createHttpsServer(server, (_request, response) => response.end("page"));
    const port = await bound(https);
    const listener = await listen({ server: https, ...options });
    cleanups.push(() => listener.close());
    return { https, port, listener };
  }

  async function page(port: number): Promise<string> {
    return await new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, ca, agent: false }, (response) => {
        response.setEncoding("utf8").on("data", resolve);
      }).on("error", reject);
    });
  }

  test("serves its pages, and Clients of conec", async () => {
    const { port, listener } = await attached();
    const client = await dialled(port, {}, "127.0.0.1/hub");
    const far = await accepted(listener);
    await echo(client, far);
    expect(far.remote.path).toBe("/hub");
    expect(far.server?.certificateHashes).toEqual([server.hash]);
    expect(listener.address).toEqual({ host: "127.0.0.1", port });
    expect(await page(port)).toBe("page");
  });

  test("goes on when the listener closes", async () => {
    const { port, listener } = await attached();
    const client = await dialled(port);
    await listener.close({ closeCode: 5, reason: "enough" });
    expect(await client.closed).toEqual({ closeCode: 5, reason: "enough" });
    expect(await page(port)).toBe("page");
    await expect(dialled(port)).rejects.toMatchObject({ code: "alpn-mismatch" });
  });

  test("takes the listener with it when it closes", async () => {
    const { https, port, listener } = await attached();
    const client = await dialled(port);
    https.close();
    (await accepted(listener)).close();
    await client.closed;
    await listener.closed;
  });

  test("has its other WebSockets left to others, and those of nobody refused", async () => {
    const { https, port, listener } = await attached();
    const alone = new WebSocket(`wss://127.0.0.1:${port}`, ["chat"], { ca });
    expect(await new Promise((resolve) => alone.once("unexpected-response", (_, { statusCode }) => resolve(statusCode)))).toBe(400); // prettier-ignore
    alone.once("error", () => {}).terminate();
    const webSockets = new WebSocketServer({ noServer: true });
    https.on("upgrade", (request, socket, head) => {
      if (request.headers["sec-websocket-protocol"] !== "chat") return;
      webSockets.handleUpgrade(request, socket, head, (chat) => chat.send("hello"));
    });
    const chat = new WebSocket(`wss://127.0.0.1:${port}`, ["chat"], { ca });
    const [greeting] = await new Promise<unknown[]>((resolve) => chat.once("message", (...args) => resolve(args)));
    expect(String(greeting)).toBe("hello");
    chat.terminate();
    await dialled(port);
    await accepted(listener);
  });

  test("without TLS, behind a proxy that has it", async () => {
    const http = createHttpServer();
    const inner = await bound(http);
    const listener = await listen({ server: http });
    cleanups.push(() => listener.close());
    const proxy = createTlsServer({ ...server, ALPNProtocols: ["http/1.1"] }, (outside) => {
      const inside = connect(inner, "127.0.0.1").on("error", () => {});
      outside.on("error", () => {}).on("close", () => inside.destroy());
      outside.pipe(inside).pipe(outside);
    });
    const client = await dialled(await bound(proxy));
    const far = await accepted(listener);
    await echo(client, far, 100_000);
    expect(far.server).toBeUndefined(); // TLS ends elsewhere
  });

  test("keeps its certificate, and its limits on handshakes are the listener's", async () => {
    const { port, listener } = await attached({ limits: { handshakeTimeoutMs: 50 } });
    expect(() => listener.updateCertificate(server)).toThrow(expect.objectContaining({ code: "unsupported" }));
    const socket = new WebSocket(`wss://127.0.0.1:${port}`, ["qmux-02.conec-1"], { ca }).on("error", () => {});
    expect(await new Promise((resolve) => socket.once("close", resolve))).toBe(1006);
    await vi.waitFor(async () => {
      expect(await listener.getStats()).toMatchObject({ connections: 0, halfOpen: 0, accepted: 0 });
    });
  });

  test("must listen", async () => {
    await expect(listen({ server: createHttpsServer(server) })).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
