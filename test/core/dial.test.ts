import { createSocket } from "node:dgram";
import { afterEach, describe, expect, test } from "vitest";

import { dial } from "../../src/core/dial.ts";
import { Client, ConecError, Coordinator } from "../../src/index.ts";
import type { Connection, Listener, Transport } from "../../src/index.ts";
import * as memoryTransport from "../../src/transports/memory/index.ts";
import { listen as listenQuic, quic } from "../../src/transports/quic/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { listen, websocket } from "../../src/transports/websocket/node/index.ts";
import { createAuthority } from "../support/certificates.ts";
import { next, rejection } from "../support/hub.ts";

const authority = createAuthority();
const server = authority.issue();
const { ca } = authority;
/** Longer than any test: whoever waits for it fails. */
const never = 1_000_000;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function kept<T extends Listener | Connection>(closable: T): T {
  cleanups.push(() => closable.close());
  return closable;
}

/** A WebSocket listener, and its URL. */
async function webSocketListener(): Promise<{ listener: Listener; url: string; port: number }> {
  const listener = kept(await listen({ host: "127.0.0.1", ...server }));
  const { port } = listener.address;
  return { listener, url: `https://127.0.0.1:${port}`, port };
}

/** UDP on this port goes nowhere: somebody takes the datagrams and says nothing. Counts them. */
async function blackHole(port: number): Promise<{ count: number }> {
  const hole = { count: 0 };
  const socket = createSocket("udp4", () => (hole.count += 1));
  cleanups.push(() => new Promise<void>((resolve) => socket.close(resolve)));
  await new Promise<void>((resolve) => socket.bind(port, "127.0.0.1", resolve));
  return hole;
}

/** A transport as it is, with the signals of what it was asked; `asked` resolves with the first. */
function watched(transport: Transport): Transport & { signals: AbortSignal[]; asked: Promise<void> } {
  const signals: AbortSignal[] = [];
  let tell!: () => void;
  const asked = new Promise<void>((resolve) => (tell = resolve));
  return {
    name: transport.name,
    signals,
    asked,
    connect: (url, options = {}) => {
      signals.push(options.signal!);
      tell();
      return transport.connect(url, options);
    },
  };
}

/** A transport of somebody's who does not heed the signal: connects when it is told to. */
function deaf(connection: Promise<Connection>): Transport {
  return { name: "deaf", connect: () => connection };
}

describe("the first that gets through", () => {
  test("is the first of the list, and nobody else is tried", async () => {
    const listener = kept(await memoryTransport.listen());
    const second = watched(memoryTransport.memory());
    const transport = [memoryTransport.memory(), second];
    const connection = kept(await dial(`https://localhost:${listener.address.port}`, { transport }));
    expect(connection.transport).toBe("memory");
    expect(second.signals).toHaveLength(0);
  });

  test("is the next at once when the one before has failed: nothing listens on UDP", async () => {
    const { url } = await webSocketListener();
    const transport = [quic({ ca }), websocket({ ca })];
    expect(kept(await dial(url, { transport, headStartMs: never })).transport).toBe("websocket");
  });

  test("is the next after a head start: UDP is swallowed", async () => {
    const { url, port } = await webSocketListener();
    const hole = await blackHole(port);
    const first = watched(quic({ ca, connectTimeoutMs: never }));
    const connection = await dial(url, { transport: [first, websocket({ ca })], headStartMs: 50 });
    expect(kept(connection).transport).toBe("websocket");
    expect(hole.count).toBeGreaterThan(0);
    expect(first.signals[0]?.aborted).toBe(true); // and test/support/open-handles.ts finds no socket
  });

  test("is the first after all when the second is slower still", async () => {
    const { url, port } = await webSocketListener();
    kept(await listenQuic({ host: "127.0.0.1", port, ...server }));
    const second = watched(deaf(new Promise(() => {})));
    const first = quic({ ca });
    const late: Transport = {
      name: "late",
      connect: async (...args) => {
        await second.asked;
        return first.connect(...args);
      },
    };
    const connection = kept(await dial(url, { transport: [late, second], headStartMs: 0 }));
    expect(connection.transport).toBe("quic");
    expect(second.signals[0]?.aborted).toBe(true);
  });

  test("carries a Client, which says so", async () => {
    const { listener, url } = await webSocketListener();
    const coordinator = new Coordinator();
    coordinator.serve(listener);
    const client = await Client.connect(url, {
      transport: [webtransport(), quic({ ca }), websocket({ ca })],
      headStartMs: never,
      id: "alice",
    });
    expect((await client.getStats()).transport).toBe("websocket");
    expect((await next(coordinator.incomingChannels)).peer.id).toBe("alice");
    await client.close();
    await coordinator.close();
  });

  test("may be one that trusts the server where the one before did not", async () => {
    const { url, port } = await webSocketListener();
    kept(await listenQuic({ host: "127.0.0.1", port, ...createAuthority("another").issue() }));
    const transport = [quic({ ca }), websocket({ ca })];
    expect(kept(await dial(url, { transport, headStartMs: never })).transport).toBe("websocket");
  });
});

describe("the others", () => {
  test("are closed when they come up late", async () => {
    const listener = kept(await memoryTransport.listen());
    const url = `https://localhost:${listener.address.port}`;
    let comeUp!: (connection: Connection) => void;
    const slow = deaf(new Promise((resolve) => (comeUp = resolve)));
    const connection = kept(await dial(url, { transport: [slow, memoryTransport.memory()], headStartMs: 0 }));
    const late = await memoryTransport.memory().connect(url);
    comeUp(late);
    expect(await late.closed).toMatchObject({ reason: "Another transport was faster" });
    expect(connection.transport).toBe("memory");
    await connection.createUnidirectionalStream(); // it is open
  });
});

describe("the caller's signal", () => {
  test("ends the attempt before it begins", async () => {
    const first = watched(memoryTransport.memory());
    const reason = new Error("changed my mind");
    const signal = AbortSignal.abort(reason);
    expect(await rejection(dial("https://localhost:1", { transport: [first, first], signal }))).toBe(reason);
    expect(first.signals).toHaveLength(0);
  });

  test("ends all attempts under way, and closes what comes up all the same", async () => {
    const { url, port } = await webSocketListener();
    await blackHole(port);
    let comeUp!: (connection: Connection) => void;
    const slow = watched(deaf(new Promise((resolve) => (comeUp = resolve))));
    const controller = new AbortController();
    const first = watched(quic({ ca, connectTimeoutMs: never }));
    const dialling = dial(url, { transport: [first, slow], headStartMs: 0, signal: controller.signal });
    await slow.asked;
    const reason = new Error("changed my mind");
    controller.abort(reason);
    expect(await rejection(dialling)).toBe(reason);
    expect([...first.signals, ...slow.signals].map((signal) => signal.reason)).toEqual([reason, reason]);
    const listener = kept(await memoryTransport.listen());
    const late = await memoryTransport.memory().connect(`https://localhost:${listener.address.port}`);
    comeUp(late);
    await late.closed;
  });
});

describe("when none gets through", () => {
  test("the only one's error is the error", async () => {
    const error = await rejection(dial("https://nowhere:1", { transport: memoryTransport.memory() }));
    expect(error).toMatchObject({ code: "unreachable" });
    expect((error as Error).cause).toBeUndefined();
    const thrower = { name: "thrower", connect: () => { throw new Error("out of order"); } }; // prettier-ignore
    expect(await rejection(dial("https://nowhere:1", { transport: thrower }))).toMatchObject({
      code: "unreachable",
      message: "out of order",
    });
  });

  test("the cause has what each failed with, in the order of the list", async () => {
    const { url } = await webSocketListener();
    const transport = [webtransport(), quic({ ca }), websocket(), memoryTransport.memory()];
    const error = (await rejection(dial(url, { transport, headStartMs: 0 }))) as Error;
    expect(error).toMatchObject({ name: "ConecError", code: "certificate-untrusted", remote: true });
    expect(error.cause).toBeInstanceOf(AggregateError);
    const { errors, message } = error.cause as AggregateError;
    expect(errors.map(({ code }) => code)).toEqual([
      "unsupported",
      "unreachable",
      "certificate-untrusted",
      "unreachable",
    ]);
    for (const name of ["webtransport: ", "quic: ", "websocket: ", "memory: "]) {
      expect(message).toContain(name);
      expect(error.message).toContain(name);
    }
  });

  test("an address that UDP cannot be sent to is one that failed, not the end of the process", async () => {
    // The kernel refuses: broadcast without leave. As where a firewall of this machine forbids UDP, or there is no route.
    const transport = quic({ ca, connectTimeoutMs: 5000 });
    expect(await rejection(dial("https://255.255.255.255:4433", { transport }))).toBeInstanceOf(ConecError);
  });

  test("that nobody is there says more than that it could not be tried", async () => {
    const { listener, url } = await webSocketListener();
    await listener.close();
    const transport = [webtransport(), websocket({ ca })];
    expect(await rejection(dial(url, { transport }))).toMatchObject({ code: "unreachable" });
  });

  test.each([
    { transport: [] },
    { transport: undefined as unknown as Transport },
    { transport: [memoryTransport.memory(), {} as Transport] },
    { transport: memoryTransport.memory(), headStartMs: -1 },
    { transport: memoryTransport.memory(), headStartMs: 0.5 },
    { transport: memoryTransport.memory(), headStartMs: 2 ** 31 },
  ])("not a list of transports: %o", async (options) => {
    expect(await rejection(dial("https://nowhere:1", options))).toMatchObject({ code: "invalid-argument" });
  });
});
