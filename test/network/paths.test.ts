/** The shells around the model: real sockets on this machine. */
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket as TcpSocket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";

import { DeliveryQueue } from "../support/network/delivery-queue.js";
import { TcpPath } from "../support/network/tcp-path.js";
import type { TcpPathOptions } from "../support/network/tcp-path.js";
import { UdpPath } from "../support/network/udp-path.js";
import type { UdpPathOptions } from "../support/network/udp-path.js";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

describe("a delivery queue", () => {
  test("hands over in the order of times, and never early", async () => {
    const delivered: { wanted: number; atMs: number }[] = [];
    const startMs = performance.now();
    await new Promise<void>((resolve) => {
      const queue = new DeliveryQueue<number>((wanted) => {
        delivered.push({ wanted, atMs: performance.now() - startMs });
        if (delivered.length === 6) resolve();
      });
      for (const wanted of [30, 5, 20, 5, 40, 10]) queue.push(startMs + wanted, wanted);
    });
    expect(delivered.map(({ wanted }) => wanted)).toEqual([5, 5, 10, 20, 30, 40]);
    for (const { wanted, atMs } of delivered) expect(atMs).toBeGreaterThanOrEqual(wanted);
  });

  test("hands over at once what is due, unless something waits that came before", () => {
    const delivered: string[] = [];
    const queue = new DeliveryQueue<string>((item) => delivered.push(item));
    const nowMs = performance.now();
    queue.push(nowMs, "first");
    queue.push(nowMs + 60_000, "much later");
    queue.push(nowMs, "second");
    expect(delivered).toEqual(["first", "second"]);
    queue.clear();
    expect(queue.size).toBe(0);
  });
});

/** A UDP socket that keeps what it hears. */
class Peer {
  readonly heard: { text: string; port: number; atMs: number }[] = [];
  readonly #socket: Socket;
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  static async open(): Promise<Peer> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    cleanups.push(() => new Promise<void>((resolve) => socket.close(resolve)));
    return new Peer(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram, { port }) => {
      this.heard.push({ text: datagram.toString(), port, atMs: performance.now() });
      for (const { count, resolve } of this.#waiting) if (this.heard.length >= count) resolve();
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(text: string, port: number, host = "127.0.0.1"): void {
    this.#socket.send(text, port, host);
  }

  async hears(count: number): Promise<string[]> {
    if (this.heard.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return this.heard.map(({ text }) => text);
  }
}

async function udpPath(server: Peer, options: Partial<UdpPathOptions> = {}): Promise<UdpPath> {
  const path = await UdpPath.open({ serverPort: server.port, ...options });
  cleanups.push(() => path.close());
  return path;
}

describe("a UDP path", () => {
  test("carries several clients, whom the server tells apart", async () => {
    const server = await Peer.open();
    const path = await udpPath(server);
    const clients = await Promise.all(Array.from({ length: 5 }, () => Peer.open()));
    for (const [index, client] of clients.entries()) client.send(`client ${index}`, path.port);
    await server.hears(5);
    expect(new Set(server.heard.map(({ port }) => port)).size).toBe(5);
    for (const { text, port } of server.heard) server.send(`to ${text}`, port);
    for (const [index, client] of clients.entries()) expect(await client.hears(1)).toEqual([`to client ${index}`]);
  });

  test("takes its time, each way", async () => {
    const server = await Peer.open();
    const client = await Peer.open();
    const path = await udpPath(server, { toServer: { delayMs: 30 }, toClient: { delayMs: 50 } });
    const startMs = performance.now();
    client.send("ping", path.port);
    await server.hears(1);
    server.send("pong", server.heard[0]!.port);
    await client.hears(1);
    expect(server.heard[0]!.atMs - startMs).toBeGreaterThanOrEqual(30);
    expect(client.heard[0]!.atMs - server.heard[0]!.atMs).toBeGreaterThanOrEqual(50);
  });

  test("loses the same datagrams again with the same seed", async () => {
    const heardWith = async (seed: number): Promise<string[]> => {
      const server = await Peer.open();
      const client = await Peer.open();
      const path = await udpPath(server, { seed, toServer: { loss: 0.5 } });
      for (let n = 0; n < 100; n += 1) client.send(String(n), path.port);
      const last = new Promise<void>((resolve) => {
        path.pass = (datagram) => {
          if (datagram.toString() === "last") resolve();
          return true;
        };
      });
      client.send("last", path.port);
      await last;
      path.set({ loss: 0 });
      client.send("end", path.port);
      while ((await server.hears(server.heard.length + 1)).at(-1) !== "end");
      return server.heard.map(({ text }) => text);
    };
    const one = await heardWith(1);
    expect(one.length).toBeGreaterThan(20);
    expect(one.length).toBeLessThan(80);
    expect(await heardWith(1)).toEqual(one);
    expect(await heardWith(2)).not.toEqual(one);
  });

  test("gives its clients other ports when it rebinds; what goes to the old ones is lost", async () => {
    const server = await Peer.open();
    const path = await udpPath(server);
    const clients = [await Peer.open(), await Peer.open()];
    for (const client of clients) client.send("before", path.port);
    await server.hears(2);
    await path.rebind("127.0.0.3");
    for (const client of clients) client.send("after", path.port);
    await server.hears(4);
    const ports = server.heard.map(({ port }) => port);
    expect(new Set(ports).size).toBe(4);
    expect(path.outside.host).toBe("127.0.0.3");
    expect(ports.slice(2)).toContain(path.outside.port);
    server.send("to an old one", ports[0]!);
    for (const port of ports.slice(2)) server.send("to a new one", port, "127.0.0.3");
    for (const client of clients) expect(await client.hears(1)).toEqual(["to a new one"]);
  });

  test("shows each datagram to the test, which may swallow it or add to it", async () => {
    const server = await Peer.open();
    const client = await Peer.open();
    const path = await udpPath(server);
    path.pass = (datagram, direction) => {
      if (direction === "to-client") return true;
      path.inject(Buffer.from("an answer"), "to-client");
      return datagram.toString() !== "swallowed";
    };
    client.send("swallowed", path.port);
    client.send("passed", path.port);
    expect(await server.hears(1)).toEqual(["passed"]);
    expect(await client.hears(2)).toEqual(["an answer", "an answer"]);
  });
});

describe("a TCP path", () => {
  async function tcpEcho(options: Partial<TcpPathOptions> = {}): Promise<{ server: Server; path: TcpPath }> {
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const path = await TcpPath.open({ serverPort: (server.address() as AddressInfo).port, ...options });
    cleanups.push(() => path.close());
    return { server, path };
  }

  async function exchange(socket: TcpSocket, content: Buffer): Promise<Buffer> {
    socket.end(content);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  test("carries everything, in order, with little of it under way", async () => {
    const { path } = await tcpEcho({ delayMs: 3, windowBytes: 100_000 });
    const content = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251));
    const received = await exchange(connect(path.port, "127.0.0.1"), content);
    expect(received.equals(content)).toBe(true);
  });

  test("takes a round trip for the handshake and one for the answer", async () => {
    const { path } = await tcpEcho({ delayMs: 30 });
    const socket = connect(path.port, "127.0.0.1");
    const startMs = performance.now();
    socket.write("ping");
    await once(socket, "data");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(4 * 30);
    const againMs = performance.now();
    socket.write("ping");
    await once(socket, "data");
    expect(performance.now() - againMs).toBeGreaterThanOrEqual(2 * 30);
    socket.destroy();
  });

  test("holds everything in a blackout and loses nothing of it", async () => {
    const { path } = await tcpEcho({ delayMs: 1 });
    const socket = connect(path.port, "127.0.0.1");
    await once(socket, "connect");
    path.blackout = true;
    let isOver = false;
    setTimeout(() => {
      isOver = true;
      path.blackout = false;
    }, 100);
    expect((await exchange(socket, Buffer.from("still here"))).toString()).toBe("still here");
    expect(isOver).toBe(true);
  });
});
