import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { afterEach, describe, expect, test, vi } from "vitest";

import type { Connection } from "../../src/core/transport.ts";
import { listen, quic } from "../../src/transports/quic/index.ts";
import type { QuicListener, QuicListenOptions } from "../../src/transports/quic/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { UdpPath } from "../support/network/udp-path.js";
import { RawHttp3Client, sessionRequest, statusOf } from "./http3-client.ts";

const authority = createAuthority();
const server = authority.issue();

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Path {
  listener: QuicListener;
  forwarder: UdpPath;
  client: Connection;
  far: Connection;
}

/** A client and a server, and between them what the test can look into. */
async function connectedPath(options: Partial<QuicListenOptions> = {}): Promise<Path> {
  const { listener, forwarder } = await listeningPath(options);
  const client = await quic({ ca: authority.ca }).connect(`https://127.0.0.1:${forwarder.port}`);
  cleanups.push(() => client.close());
  return { listener, forwarder, client, far: await accepted(listener) };
}

async function listeningPath(options: Partial<QuicListenOptions> = {}): Promise<Pick<Path, "listener" | "forwarder">> {
  const listener = await listen({ host: "127.0.0.1", ...server, ...options });
  cleanups.push(() => listener.close());
  const forwarder = await UdpPath.open({ serverPort: listener.address.port });
  cleanups.push(() => forwarder.close());
  return { listener, forwarder };
}

/** The server's end of the next connection. */
async function accepted(listener: QuicListener): Promise<Connection> {
  const reader = listener.incomingConnections.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return value!;
}

/** A stream from one end to the other that goes on until it is stopped, and whose bytes are checked. */
class Flow {
  received = 0;
  /** The longest time that nothing came in. */
  longestPauseMs = 0;
  readonly ended: Promise<void>;
  #stopped = false;
  #waiting: { bytes: number; resolve: () => void }[] = [];

  static async start(from: Connection, to: Connection): Promise<Flow> {
    const writable = await from.createUnidirectionalStream();
    return new Flow(writable, to.incomingUnidirectionalStreams.getReader());
  }

  private constructor(
    writable: WritableStream<Uint8Array>,
    incoming: ReadableStreamDefaultReader<ReadableStream<Uint8Array>>,
  ) {
    this.ended = Promise.all([this.#write(writable.getWriter()), this.#read(incoming)]).then(() => {});
  }

  /** Resolves when so many more bytes have come in. */
  async after(bytes: number): Promise<void> {
    const most = this.received + bytes;
    await Promise.race([new Promise<void>((resolve) => this.#waiting.push({ bytes: most, resolve })), this.ended]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.ended;
  }

  async #write(writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
    let sent = 0;
    while (!this.#stopped) {
      await writer.write(patternAt(sent, 16_384));
      sent += 16_384;
    }
    await writer.close();
  }

  async #read(incoming: ReadableStreamDefaultReader<ReadableStream<Uint8Array>>): Promise<void> {
    const { value: readable } = await incoming.read();
    incoming.releaseLock();
    let lastMs = performance.now();
    for await (const chunk of readable!) {
      const nowMs = performance.now();
      this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - lastMs);
      lastMs = nowMs;
      if (Buffer.compare(chunk, patternAt(this.received, chunk.length)) !== 0) throw new Error("Other bytes came out");
      this.received += chunk.length;
      for (const each of this.#waiting) if (this.received >= each.bytes) each.resolve();
      this.#waiting = this.#waiting.filter(({ bytes }) => this.received < bytes);
    }
  }
}

const period = 65_521;
const pattern = Buffer.alloc(
  period + 1_048_576,
  Buffer.from(Array.from({ length: period }, (_, index) => index % 251)),
);

function patternAt(offset: number, length: number): Uint8Array {
  return pattern.subarray(offset % period, (offset % period) + length);
}

/** Somebody on the way: sees datagrams and sends others from an address of its own. */
class Stranger {
  sent = 0;
  heard = 0;
  onDatagram: (datagram: Buffer) => void = () => {};
  readonly #socket: Socket;
  readonly #port: number;

  static async at(port: number): Promise<Stranger> {
    const socket = createSocket("udp4");
    socket.on("error", () => {});
    await new Promise<void>((resolve) => {
      socket.bind(0, "127.0.0.66", resolve);
    });
    cleanups.push(() => new Promise<void>((resolve) => socket.close(resolve)));
    return new Stranger(socket, port);
  }

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("message", (datagram) => {
      this.heard += datagram.length;
      this.onDatagram(datagram);
    });
  }

  send(datagram: Uint8Array): void {
    this.sent += datagram.length;
    this.#socket.send(Buffer.from(datagram), this.#port, "127.0.0.1");
  }
}

const directions = ["to the server", "to the client"] as const;

function flowing(direction: (typeof directions)[number], { client, far }: Path): Promise<Flow> {
  return direction === "to the server" ? Flow.start(client, far) : Flow.start(far, client);
}

describe("a NAT that forgets", () => {
  test.each(directions)("a transfer %s goes on after five rebindings", async (direction) => {
    const path = await connectedPath();
    const flow = await flowing(direction, path);
    for (const [before, host] of ["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.4.5.6", "127.0.0.1"].entries()) {
      await flow.after(1_000_000);
      await vi.waitFor(async () => expect((await path.listener.getStats()).addressChanges).toBe(before), 5000);
      await path.forwarder.rebind(host);
    }
    await flow.after(1_000_000);
    await vi.waitFor(async () => expect((await path.listener.getStats()).addressChanges).toBe(5), 5000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ addressChanges: 5, connections: 1, accepted: 1 });
    // Two round trips and the loss of what was under way; far less than an idle timeout in any case.
    expect(flow.longestPauseMs).toBeLessThan(2000);
  });

  test("an idle connection is found again when the client speaks", async () => {
    const path = await connectedPath();
    const flow = await flowing("to the client", path);
    await flow.after(100_000);
    await flow.stop();
    await path.forwarder.rebind();
    await (await flowing("to the server", path)).stop();
    await (await flowing("to the client", path)).stop();
    await vi.waitFor(async () => expect(await path.listener.getStats()).toMatchObject({ addressChanges: 1 }));
  });

  test("after a Retry, and on a new path that carries less", async () => {
    const path = await connectedPath({ limits: { retryAboveHalfOpen: 0 } });
    const flow = await flowing("to the client", path);
    await flow.after(2_000_000);
    expect((await path.far.getStats()).datagramBytes).toBeGreaterThan(1350);
    path.forwarder.pass = (datagram) => datagram.length <= 1200;
    await path.forwarder.rebind();
    await vi.waitFor(async () => expect((await path.far.getStats()).datagramBytes).toBe(1200), 5000);
    await flow.after(100_000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ retried: 1, addressChanges: 1 });
  });

  test("a session of a browser", async () => {
    const { listener, forwarder } = await listeningPath();
    const client = await RawHttp3Client.connect(forwarder.port);
    cleanups.push(() => client.close());
    await client.sendSettings();
    expect(await statusOf(await client.request(sessionRequest))).toBe("200");
    const session = await accepted(listener);
    for (let round = 0; round < 3; round += 1) {
      await forwarder.rebind();
      const writer = await client.send(0x40, 0x54, 0, ...Array.from({ length: 100 }, () => round));
      await writer.close();
      const incoming = session.incomingUnidirectionalStreams.getReader();
      const { value } = await incoming.read();
      incoming.releaseLock();
      const received: number[] = [];
      for await (const chunk of value!) received.push(...chunk);
      expect(received).toEqual(Array.from({ length: 100 }, () => round));
      await vi.waitFor(async () => expect((await listener.getStats()).addressChanges).toBe(round + 1));
    }
    expect(await listener.getStats()).toMatchObject({ addressChanges: 3, connections: 1 });
  });
});

describe("somebody on the way", () => {
  test.each(directions)("sends copies first, during a transfer %s: nothing moves", async (direction) => {
    const path = await connectedPath();
    const flow = await flowing(direction, path);
    await flow.after(100_000);
    const stranger = await Stranger.at(path.listener.address.port);
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-server") stranger.send(datagram);
      return true;
    };
    await flow.after(10_000_000);
    path.forwarder.pass = () => true;
    await flow.stop();
    const { addressChanges, addressChangesRefused } = await path.listener.getStats();
    expect(addressChanges).toBe(0);
    expect(addressChangesRefused).toBeGreaterThan(0);
    expect(stranger.heard).toBeLessThanOrEqual(3 * stranger.sent);
    expect(stranger.heard).toBeLessThan(0.2 * flow.received);
  });

  test.each(directions)("also brings back what it is sent, during a transfer %s: nothing moves", async (direction) => {
    const path = await connectedPath();
    const flow = await flowing(direction, path);
    const stranger = await Stranger.at(path.listener.address.port);
    stranger.onDatagram = (datagram) => path.forwarder.inject(datagram, "to-client");
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-server") stranger.send(datagram);
      return true;
    };
    await flow.after(10_000_000);
    path.forwarder.pass = () => true;
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ addressChanges: 0 });
  });

  test("is followed while the address is silent, and left when it is heard from again", async () => {
    const path = await connectedPath();
    const flow = await flowing("to the client", path);
    await flow.after(100_000);
    const stranger = await Stranger.at(path.listener.address.port);
    stranger.onDatagram = (datagram) => path.forwarder.inject(datagram, "to-client");
    let originals = false;
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-client") return true;
      stranger.send(datagram);
      return originals;
    };
    await vi.waitFor(async () => expect(await path.listener.getStats()).toMatchObject({ addressChanges: 1 }), 5000);
    originals = true;
    await vi.waitFor(async () => expect(await path.listener.getStats()).toMatchObject({ addressChanges: 2 }), 5000);
    const heardThen = stranger.heard;
    await flow.after(10_000_000);
    expect(stranger.heard - heardThen).toBeLessThan(2_000_000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ addressChanges: 2 });
  });

  test("keeps everything back but its own copies: hears three times what it sends at most", async () => {
    const path = await connectedPath();
    const flow = await flowing("to the client", path);
    await flow.after(100_000);
    const stranger = await Stranger.at(path.listener.address.port);
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-server") stranger.send(datagram);
      return way === "to-client";
    };
    await vi.waitFor(
      async () => expect((await path.listener.getStats()).addressChangesRefused).toBeGreaterThan(1),
      10_000,
    );
    path.forwarder.pass = () => true;
    await flow.after(1_000_000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ addressChanges: 0 });
    expect(stranger.heard).toBeGreaterThan(0);
    expect(stranger.heard).toBeLessThanOrEqual(3 * stranger.sent);
  });

  test("plays back what it has recorded: is not heard", async () => {
    const path = await connectedPath();
    const recorded: Buffer[] = [];
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-server" && recorded.length < 2000) recorded.push(Buffer.from(datagram));
      return true;
    };
    const flow = await flowing("to the server", path);
    await flow.after(3_000_000);
    const stranger = await Stranger.at(path.listener.address.port);
    for (const datagram of recorded) stranger.send(datagram);
    await flow.after(3_000_000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({ addressChanges: 0, addressChangesRefused: 0 });
    expect(stranger.heard).toBe(0);
  });

  test("makes up datagrams of the connection from hundreds of addresses: is not heard", async () => {
    const path = await connectedPath();
    let sample: Buffer | undefined;
    path.forwarder.pass = (datagram, way) => {
      if (way === "to-server" && (datagram[0]! & 0x80) === 0) sample = Buffer.from(datagram);
      return true;
    };
    const flow = await flowing("to the client", path);
    await flow.after(1_000_000);
    const strangers = await Promise.all(Array.from({ length: 200 }, () => Stranger.at(path.listener.address.port)));
    for (const stranger of strangers) {
      for (const length of [22, 100, 1200]) {
        const made = randomBytes(length);
        sample!.copy(made, 0, 0, 17);
        stranger.send(made);
      }
    }
    await flow.after(1_000_000);
    await flow.stop();
    expect(await path.listener.getStats()).toMatchObject({
      addressChanges: 0,
      addressChangesRefused: 0,
      statelessResets: 0,
    });
    expect(strangers.filter(({ heard }) => heard > 0)).toEqual([]);
  });
});
