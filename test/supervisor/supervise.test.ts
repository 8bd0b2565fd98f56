/** A Coordinator in a process of its own that is watched, with real Clients and real ways to die. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Client } from "../../src/index.ts";
import type { ConecError } from "../../src/index.ts";
import type { SuperviseOptions, Supervisor, SupervisorEvent } from "../../src/supervisor/index.ts";
import { createSelfSignedCertificate, quic } from "../../src/transports/quic/index.ts";
import { BuiltPackage } from "../support/built-package.ts";
import { next, rejection } from "../support/hub.ts";

const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });

/** Does what the name of a stream says. */
const coordinatorProgram = `
  import { writeFileSync } from "node:fs";
  import { Coordinator } from "./index.js";
  import { listen } from "./transports/quic/index.js";
  const { CERT: cert, KEY: key, PORT: port } = process.env;
  const coordinator = new Coordinator();
  const listener = await listen({ host: "127.0.0.1", port: Number(port), cert, key });
  coordinator.serve(listener);
  process.on("SIGTERM", () => coordinator.close({ reason: "SIGTERM" }));
  for await (const channel of coordinator.incomingChannels) {
    for await (const { name } of channel.incomingUnidirectionalStreams) {
      if (name === "hang") for (;;);
      if (name === "crash") process.kill(process.pid, "SIGKILL");
      if (name === "fail") process.exit(3);
    }
  }
`;

let built: BuiltPackage;
let program: string;
let supervise: typeof import("../../src/supervisor/index.ts").supervise;
beforeAll(async () => {
  built = new BuiltPackage();
  program = built.write("coordinator.js", coordinatorProgram);
  ({ supervise } = (await import(join(built.folder, "supervisor", "index.js"))) as {
    supervise: typeof supervise;
  });
}, 60_000);
afterAll(() => built.remove());

let supervisor: Supervisor;
afterEach(() => supervisor.close());

/** Supervises, and gives the events one by one. */
function watch(path: string, options: SuperviseOptions = {}): () => Promise<SupervisorEvent> {
  const { readable, writable } = new TransformStream<SupervisorEvent>({}, { highWaterMark: 100 });
  const writer = writable.getWriter();
  supervisor = supervise(path, { ...options, onEvent: (event) => void writer.write(event) });
  return () => next(readable);
}

/** Watches a Coordinator at a port that stays the same. */
async function watchCoordinator(): Promise<{ event: () => Promise<SupervisorEvent>; connect: () => Promise<Client> }> {
  const { createSocket } = await import("node:dgram");
  const socket = createSocket("udp4");
  const port = await new Promise<number>((resolve) =>
    socket.bind(0, "127.0.0.1", () => resolve(socket.address().port)),
  );
  await new Promise<void>((resolve) => socket.close(resolve));
  const event = watch(program, { env: { ...process.env, CERT: cert, KEY: key, PORT: String(port) } });
  const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }], idleTimeoutMs: 60_000 });
  const connect = async (): Promise<Client> => {
    // Until it listens, nobody answers.
    for (;;) {
      try {
        return await Client.connect(`https://127.0.0.1:${port}`, { transport, reconnect: false });
      } catch (error) {
        expect(["unreachable", "timeout"]).toContain((error as ConecError).code);
      }
    }
  };
  return { event, connect };
}

test.each([
  ["hangs", "hang", [{ type: "hung" }, { type: "ended", signal: "SIGKILL", restartInMs: 0 }]],
  ["is killed", "crash", [{ type: "ended", signal: "SIGKILL", restartInMs: 0 }]],
  ["fails", "fail", [{ type: "ended", code: 3, restartInMs: 0 }]],
])(
  "a Coordinator that %s is back soon, and its Clients learn of it by the first packet that they send",
  async (...row) => {
    const [, order, events] = row;
    const { event, connect } = await watchCoordinator();
    const first = await event();
    const client = await connect();
    const bystander = await connect();
    const writer = (await bystander.coordinator.createUnidirectionalStream()).getWriter();
    const orderedMs = performance.now();
    await client.coordinator.createUnidirectionalStream({ name: order });
    for (const expected of events) expect(await event()).toMatchObject({ ...expected, pid: first.pid });
    const second = await event();
    expect(second).toMatchObject({ type: "started" });
    expect(second.pid).not.toBe(first.pid);
    const fresh = await connect();
    // The limit is 2 s; this machine may be busy.
    expect(performance.now() - orderedMs).toBeLessThan(6000);
    // Long before the idle timeout of 60 s.
    writer.write(new Uint8Array(10)).catch(() => {});
    expect(await rejection(bystander.closed)).toMatchObject({ code: "connection-lost" });
    await Promise.all([client.close(), bystander.close(), fresh.close()]);
  },
);

test("closing it closes the Coordinator gracefully", async () => {
  const { event, connect } = await watchCoordinator();
  await event();
  const client = await connect();
  await supervisor.close();
  expect(await client.coordinator.closed).toMatchObject({ reason: "SIGTERM" });
  expect(await event()).toMatchObject({ type: "ended", code: 0 });
  expect(supervisor.pid).toBeUndefined();
  await client.close();
});

test("a program that ends well is not started again", async () => {
  const event = watch(built.write("done.js", "console.assert(process.argv[2] === 'x')"), { args: ["x"] });
  await supervisor.closed;
  const ended = await event();
  expect(ended).toMatchObject({ type: "ended", code: 0 });
  expect(ended).not.toHaveProperty("restartInMs");
});

test("a program that cannot be loaded is tried again with growing pauses, until it is closed", async () => {
  const event = watch(built.write("broken.js", "throw new Error('broken')"), {});
  const restarts: unknown[] = [];
  while (restarts.length < 2) {
    const seen = await event();
    if (seen.type === "ended") restarts.push(seen.restartInMs);
  }
  expect(restarts[0]).toBe(0);
  await supervisor.close();
});

test("one that ignores SIGTERM is killed", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stubborn = `
    import { connect } from "node:net";
    process.on("SIGTERM", () => {});
    connect(${port}, "127.0.0.1");
  `;
  const event = watch(built.write("stubborn.js", stubborn), { closeTimeoutMs: 100 });
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => {});
  await event();
  await supervisor.close();
  expect(await event()).toMatchObject({ type: "ended", signal: "SIGKILL" });
  await new Promise((resolve) => server.close(resolve));
});

test("options that cannot be", () => {
  for (const options of [{ hungAfterMs: 10 }, { startTimeoutMs: Number.NaN }, { closeTimeoutMs: -1 }]) {
    expect(() => supervise(program, options)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  }
});
