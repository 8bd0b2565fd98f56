/** The listener faces strangers: what breaks the rules, stalls or floods loses its own connection, and nobody else notices. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

import type { ConecError } from "../../src/index.ts";
import { listen, websocket } from "../../src/transports/websocket/node/index.ts";
import type { WebSocketListener, WebSocketListenOwnOptions } from "../../src/transports/websocket/node/index.ts";
import type { MessageSocket, MessageSocketEvents } from "../../src/transports/websocket/message-socket.ts";
import { encodeFrame, readFrames } from "../../src/transports/websocket/qmux/frames.ts";
import type { ControlFrame, Frame } from "../../src/transports/websocket/qmux/frames.ts";
import { qmuxErrorCodes } from "../../src/transports/websocket/qmux/qmux-error.ts";
import { QmuxSession } from "../../src/transports/websocket/qmux/session.ts";
import type { ConnectionEnd, QmuxEvents } from "../../src/transports/websocket/qmux/session.ts";
import { defaultTransportParameters } from "../../src/transports/websocket/qmux/transport-parameters.ts";
import { createAuthority } from "../support/certificates.ts";
import { next, rejection } from "../support/hub.ts";

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

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const parameters = encodeFrame({
  type: "transport-parameters",
  parameters: { ...defaultTransportParameters, maxData: 1_000_000, maxStreamsUni: 10, maxStreamDataUni: 1_000_000 },
});

/** A WebSocket of conec that says only what it is told to, and what it was told. */
class Stranger {
  readonly socket: WebSocket;
  readonly heard: Frame[] = [];
  readonly closed: Promise<number>;

  static async meet(listener: WebSocketListener): Promise<Stranger> {
    const stranger = new Stranger(listener.address.port);
    await once(stranger.socket, "open");
    return stranger;
  }

  private constructor(port: number) {
    this.socket = new WebSocket(`wss://127.0.0.1:${port}`, ["qmux-02.conec-1"], { ca, perMessageDeflate: false });
    this.socket.on("error", () => {});
    this.socket.on("message", (record: Buffer) => void this.heard.push(...readFrames(record)));
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    cleanups.push(() => this.socket.terminate());
  }

  /** The socket under it, for what no WebSocket would send. */
  get raw(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket;
  }

  say(...messages: (Uint8Array | string)[]): void {
    for (const message of messages) this.socket.send(message);
  }
}

/** A Client that has done nothing wrong, and both ends of its connection. */
async function bystander(listener: WebSocketListener): Promise<() => Promise<void>> {
  const client = await websocket({ ca }).connect(`https://127.0.0.1:${listener.address.port}`);
  cleanups.push(() => client.close());
  const far = await next(listener.incomingConnections);
  return async () => {
    const writer = (await client.createUnidirectionalStream()).getWriter();
    await writer.write(new Uint8Array(100_000));
    void writer.close();
    let length = 0;
    for await (const chunk of await next(far.incomingUnidirectionalStreams)) length += chunk.length;
    expect(length).toBe(100_000);
  };
}

const closeOf = (frames: readonly Frame[]) =>
  frames.find(({ type }) => type === "close") as { code: number } | undefined;

describe("what breaks the rules of QMux ends its connection, with a reason", () => {
  test.each([
    { what: "text", messages: [parameters, "hello"], code: "PROTOCOL_VIOLATION" },
    { what: "an empty message", messages: [parameters, ""], code: "PROTOCOL_VIOLATION" },
    { what: "parameters twice", messages: [parameters, parameters], code: "PROTOCOL_VIOLATION" },
    { what: "a length that is a lie", messages: [parameters, bytes("0a02 bfffffff 61")], code: "FRAME_ENCODING_ERROR" },
    {
      what: "a length of 2^62 - 1",
      messages: [parameters, bytes("0a02 ffffffffffffffff")],
      code: "FRAME_ENCODING_ERROR",
    },
    { what: "garbage", messages: [parameters, bytes("3fa5b6c7d8e9")], code: "FRAME_ENCODING_ERROR" },
    { what: "the stream after the last one", messages: [parameters, bytes("0a c000000000008002 01 61")], code: "STREAM_LIMIT_ERROR" }, // prettier-ignore
    { what: "bytes of a stream out of order", messages: [parameters, bytes("0e02050161")], code: "PROTOCOL_VIOLATION" },
    { what: "an answer that nobody asked for", messages: [parameters, bytes("f48c67529ef8c7be 3f")], code: "PROTOCOL_VIOLATION" }, // prettier-ignore
    { what: "the same ping again", messages: [parameters, bytes("f48c67529ef8c7bd 05 f48c67529ef8c7bd 05")], code: "PROTOCOL_VIOLATION" }, // prettier-ignore
    {
      what: "more than a window",
      messages: [parameters, ...Array.from({ length: 3 }, (_, index) => Buffer.concat([bytes(index === 0 ? "0a02" : `0e02 ${(0x8000_0000 + index * 60_000).toString(16)}`), bytes((0x8000_0000 + 60_000).toString(16)), Buffer.alloc(60_000)]))], // prettier-ignore
      code: "FLOW_CONTROL_ERROR",
    },
  ] as const)("$what", async ({ messages, code }) => {
    const listener = await listening();
    const works = await bystander(listener);
    const stranger = await Stranger.meet(listener);
    stranger.say(...messages);
    const connection = await next(listener.incomingConnections);
    const isLimit = code === "STREAM_LIMIT_ERROR" || code === "FLOW_CONTROL_ERROR";
    expect(await rejection(connection.closed)).toMatchObject({
      code: isLimit ? "limit-exceeded" : "protocol-error",
      source: "connection",
      remote: true,
    });
    await stranger.closed;
    expect(closeOf(stranger.heard)?.code).toBe(qmuxErrorCodes[code]);
    await works();
  });

  test.each([
    { what: "bytes before the parameters", message: bytes("0a020161") },
    { what: "text before the parameters", message: "hello" },
    { what: "parameters that QMux does not have", message: bytes("ff5153300d0a0d0a 02 0f00") },
  ])("$what: nobody is told of a connection", async ({ message }) => {
    const listener = await listening();
    const stranger = await Stranger.meet(listener);
    stranger.say(message);
    await stranger.closed;
    expect(closeOf(stranger.heard)).toBeDefined();
    await vi.waitFor(async () => {
      expect(await listener.getStats()).toMatchObject({ connections: 0, halfOpen: 0, accepted: 0 });
    });
    const works = await bystander(listener);
    await works();
  });

  test("any bytes at all", async () => {
    const listener = await listening();
    const works = await bystander(listener);
    for (let round = 0; round < 50; round += 1) {
      const stranger = await Stranger.meet(listener);
      stranger.say(parameters);
      const connection = await next(listener.incomingConnections);
      for (let count = 0; count < 20; count += 1) stranger.say(randomBytes(1 + ((round * 7 + count * 31) % 400)));
      stranger.socket.close();
      const error = (await rejection(connection.closed)) as ConecError;
      expect(["protocol-error", "limit-exceeded", "connection-lost"]).toContain(error.code);
    }
    await works();
  });
});

describe("what breaks the rules of WebSocket loses its connection", () => {
  test.each([
    { what: "a message larger than a record", break: (stranger: Stranger) => stranger.say(Buffer.alloc(65_537)) },
    {
      what: "a message in a thousand pieces and more",
      break: ({ socket }: Stranger) => {
        for (let piece = 0; piece < 1100; piece += 1) socket.send(Buffer.of(0), { fin: false });
      },
    },
    { what: "a frame without a mask", break: ({ raw }: Stranger) => raw.write(bytes("820100")) },
    { what: "a compressed frame", break: ({ raw }: Stranger) => raw.write(bytes("c28100000000 00")) },
    { what: "a frame of no type", break: ({ raw }: Stranger) => raw.write(bytes("8f8000000000")) },
    { what: "a length of 2^63", break: ({ raw }: Stranger) => raw.write(bytes("82ff8000000000000000")) },
    { what: "not even TLS", break: ({ raw }: Stranger) => raw.destroy() },
  ])("$what", async ({ break: breakIt }) => {
    const listener = await listening();
    const works = await bystander(listener);
    const stranger = await Stranger.meet(listener);
    stranger.say(parameters);
    const connection = await next(listener.incomingConnections);
    breakIt(stranger);
    expect(await rejection(connection.closed)).toMatchObject({ code: "connection-lost", remote: true });
    await works();
  });

  test("what goes on talking after it was told goodbye is cut off", async () => {
    const listener = await listening();
    const stranger = await Stranger.meet(listener);
    stranger.say(parameters, "hello");
    const { raw } = stranger;
    raw.removeAllListeners("data"); // it does not listen either, so does not say goodbye
    raw.resume();
    const record = Buffer.concat([bytes("82fe400000000000"), Buffer.alloc(16_384)]);
    while (!raw.destroyed) {
      if (!raw.writableNeedDrain) raw.write(record);
      await turn();
    }
    await vi.waitFor(async () => expect((await listener.getStats()).connections).toBe(0));
  });
});

describe("handshakes", () => {
  /** How far each of these gets, and there it stays. */
  const stallers: Record<string, (port: number) => Socket> = {
    "no TLS": (port) => connectTcp(port, "127.0.0.1"),
    "half of TLS": (port) => {
      const socket = connectTcp(port, "127.0.0.1");
      socket.write(bytes("1603010200010001fc0303"));
      return socket;
    },
    "no request": (port) => connectTls({ port, host: "127.0.0.1", ca }),
    "half a request": (port) => {
      const socket = connectTls({ port, host: "127.0.0.1", ca });
      socket.write("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
      return socket;
    },
    "no first frame": (port) => {
      const webSocket = new WebSocket(`wss://127.0.0.1:${port}`, ["qmux-02.conec-1"], { ca });
      webSocket.on("error", () => {});
      return { once: (_: "close", closed: () => void) => webSocket.once("close", closed) } as unknown as Socket;
    },
  };

  test("may not take for ever, wherever they stop", async () => {
    const listener = await listening({ limits: { handshakeTimeoutMs: 150 } });
    const { port } = listener.address;
    const ends = Object.values(stallers).map((stall) => {
      const socket = stall(port);
      if (socket instanceof Object && "on" in socket) socket.on("error", () => {}).resume();
      return new Promise<void>((resolve) => socket.once("close", () => resolve()));
    });
    await Promise.all(ends);
    await vi.waitFor(async () => {
      expect(await listener.getStats()).toEqual({ connections: 0, halfOpen: 0, accepted: 0, dropped: 0 });
    });
  });

  test("at once may be so many; a Client gets in when there is room again", async () => {
    const listener = await listening({ limits: { maxHalfOpen: 3 } });
    const { port } = listener.address;
    const holding = Array.from({ length: 3 }, () => connectTcp(port, "127.0.0.1").on("error", () => {}));
    await vi.waitFor(async () => expect((await listener.getStats()).halfOpen).toBe(3));
    const dialling = websocket({ ca }).connect(`https://127.0.0.1:${port}`);
    expect(await rejection(dialling)).toMatchObject({ code: "unreachable" });
    expect(await listener.getStats()).toMatchObject({ halfOpen: 3, dropped: 1 });
    for (const socket of holding) socket.destroy();
    await vi.waitFor(async () => expect((await listener.getStats()).halfOpen).toBe(0));
    const works = await bystander(listener);
    await works();
  });

  test("in a row may be so many", async () => {
    const listener = await listening({ limits: { handshakesPerSecond: 0, handshakeBurst: 2 } });
    for (let count = 0; count < 2; count += 1) await bystander(listener);
    const dialling = websocket({ ca }).connect(`https://127.0.0.1:${listener.address.port}`);
    expect(await rejection(dialling)).toMatchObject({ code: "unreachable" });
    expect(await listener.getStats()).toMatchObject({ connections: 2, accepted: 2, dropped: 1 });
  });

  test("that are complete do not count", async () => {
    const listener = await listening({ limits: { maxHalfOpen: 1 } });
    const all = [];
    for (let count = 0; count < 5; count += 1) all.push(await bystander(listener));
    await Promise.all(all.map((works) => works()));
    expect(await listener.getStats()).toEqual({ connections: 5, halfOpen: 0, accepted: 5, dropped: 0 });
  });
});

describe("silence", () => {
  test("of a Client that does not answer is a loss", async () => {
    const listener = await listening({ idleTimeoutMs: 200 });
    const stranger = await Stranger.meet(listener);
    stranger.say(parameters);
    const connection = await next(listener.incomingConnections);
    expect(await rejection(connection.closed)).toMatchObject({ code: "connection-lost", remote: true });
    expect(stranger.heard.filter(({ type }) => type === "ping").length).toBeGreaterThan(1);
  });

  test("of a server that does not answer is a loss", async () => {
    const listener = await listening();
    const relay = createServer((outside) => {
      const inside = connectTcp(listener.address.port, "127.0.0.1").on("error", () => {});
      outside.on("error", () => {}).on("close", () => inside.destroy());
      outside.pipe(inside).pipe(outside);
      mute = () => void inside.unpipe(outside);
    });
    let mute = () => {};
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => new Promise((resolve) => relay.close(resolve)));
    const { port } = relay.address() as AddressInfo;
    const client = await websocket({ ca, idleTimeoutMs: 200 }).connect(`https://127.0.0.1:${port}`);
    mute();
    expect(await rejection(client.closed)).toMatchObject({ code: "connection-lost", remote: true });
  });

  test("of two programs that have nothing to say is none: they ask each other", async () => {
    const listener = await listening({ idleTimeoutMs: 300 });
    const options = { ca, idleTimeoutMs: 300, keepAliveIntervalMs: 50 };
    const client = await websocket(options).connect(`https://127.0.0.1:${listener.address.port}`);
    cleanups.push(() => client.close());
    const far = await next(listener.incomingConnections);
    const { bytesReceived: before = 0 } = await client.getStats();
    // Ten answers of about 40 bytes take longer than the timeout.
    await vi.waitFor(async () => expect((await client.getStats()).bytesReceived).toBeGreaterThan(before + 400), 20_000);
    client.close({ reason: "still here" });
    expect(await far.closed).toMatchObject({ reason: "still here" });
    expect((await client.getStats()).rttMs).toBeGreaterThan(0);
  });
});

/** A socket in this process, whose room the test decides on. */
class Wire implements MessageSocket {
  hasRoom = true;
  readonly sent: Frame[] = [];
  messages = 0;
  isClosed = false;
  events!: MessageSocketEvents;

  start(events: MessageSocketEvents): void {
    this.events = events;
  }

  send(message: Uint8Array): void {
    this.messages += 1;
    this.sent.push(...readFrames(message.slice()));
  }

  close(): void {
    this.isClosed = true;
  }
}

function session(events: Partial<QmuxEvents> = {}): { wire: Wire; end: () => ConnectionEnd | undefined } {
  const wire = new Wire();
  let end: ConnectionEnd | undefined;
  const created = new QmuxSession({
    socket: wire,
    isServer: true,
    limits: { maxIncomingStreams: 10, maxUnreadBytes: 1_000_000 },
    idleTimeoutMs: 60_000,
    keepAliveIntervalMs: 60_000,
    events: { onReady: () => {}, onStream: () => {}, onEnd: (how) => (end = how), ...events },
  });
  cleanups.push(() => created.close({ closeCode: 0, reason: "" }));
  wire.events.onMessage(parameters);
  return { wire, end: () => end };
}

const say = (wire: Wire, ...frames: ControlFrame[]) => {
  for (const frame of frames) wire.events.onMessage(encodeFrame(frame));
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("what a peer that does not read can make this end keep", () => {
  test("pings: one answer, to the last of them", async () => {
    const { wire } = session();
    await turn();
    wire.hasRoom = false;
    const before = wire.messages;
    for (let sequence = 0; sequence < 10_000; sequence += 1) say(wire, { type: "ping", sequence });
    await turn();
    expect(wire.messages).toBe(before);
    wire.hasRoom = true;
    wire.events.onRoom();
    expect(wire.sent.filter(({ type }) => type === "pong")).toEqual([{ type: "pong", sequence: 9999 }]);
    expect(wire.messages).toBe(before + 1);
  });

  test("credit: one frame of each kind, with what holds by then", async () => {
    // Streams are cancelled at once: what comes is thrown away, so counts as read.
    const { wire } = session({ onStream: (receive) => void receive.lockReader().cancel() });
    await turn();
    wire.hasRoom = false;
    const before = wire.sent.length;
    for (let at = 0; at < 128_000; at += 1000) {
      const offset = (0x8000_0000 + at).toString(16);
      wire.events.onMessage(Buffer.concat([bytes(`0e02 ${offset} 43e8`), Buffer.alloc(1000)]));
      await turn();
    }
    expect(wire.sent.length).toBe(before);
    wire.hasRoom = true;
    wire.events.onRoom();
    const [stop, credit, ...more] = wire.sent.slice(before);
    expect(stop).toEqual({ type: "stop-sending", id: 2, code: 0 });
    expect(credit).toMatchObject({ type: "max-stream-data", id: 2 });
    // The window has grown if this machine was quick.
    expect([1, 2].map((windows) => 128_000 + windows * 128 * 1024)).toContain((credit as { limit: number }).limit);
    expect(more).toEqual([]);
  });
});

describe("the end of a session", () => {
  test("is told to the other end, and what still comes is not heard", async () => {
    const { wire, end } = session();
    wire.events.onMessage(undefined);
    expect(end()).toMatchObject({ error: { code: "protocol-error" } });
    expect(wire.isClosed).toBe(true);
    const { messages } = wire;
    for (let count = 0; count < 100; count += 1) wire.events.onMessage(randomBytes(100));
    wire.events.onRoom();
    wire.events.onClose("code 1000");
    await turn();
    expect(wire.messages).toBe(messages);
  });

  test("comes from the other end with its word, whatever it is", () => {
    for (const [frame, expected] of [
      [{ application: true, code: 7, reason: "bye" }, { info: { closeCode: 7, reason: "bye" } }],
      [{ application: true, code: 2 ** 40, reason: "ü".repeat(2000) }, { info: { closeCode: 0xffff_ffff, reason: "ü".repeat(512) } }], // prettier-ignore
      [{ application: false, code: 0, reason: "" }, { error: { code: "connection-lost", remote: true } }],
      [{ application: false, code: 3, reason: "?" }, { error: { code: "protocol-error", remote: true } }],
    ] as const) {
      const { wire, end } = session();
      say(wire, { type: "close", ...frame });
      expect(end()).toMatchObject(expected);
      expect(wire.isClosed).toBe(true);
    }
  });

  test("because of a fault of this end is one too, and no exception", () => {
    const { wire, end } = session({
      onStream: () => {
        throw new Error("out of order");
      },
    });
    wire.events.onMessage(bytes("0a020161"));
    expect(end()).toMatchObject({ error: { code: "internal", remote: false } });
    expect(closeOf(wire.sent)).toBeDefined();
  });
});
