import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";

import { BatchEndpoint } from "../../src/transports/quic/udp/batch-endpoint.ts";
import { DgramEndpoint } from "../../src/transports/quic/udp/dgram-endpoint.ts";
import { loadLibc } from "../../src/transports/quic/udp/libc.ts";
import type { Libc } from "../../src/transports/quic/udp/libc.ts";
import { openUdpEndpoint } from "../../src/transports/quic/udp/open-udp-endpoint.ts";
import type { UdpMode } from "../../src/transports/quic/udp/open-udp-endpoint.ts";
import type { UdpAddress, UdpEndpoint, UdpEndpointOptions } from "../../src/transports/quic/udp/udp-endpoint.ts";
import { BuiltPackage } from "../support/built-package.ts";

const libc = await loadLibc();
const hasLibc = libc !== undefined;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function opened(mode: UdpMode, options: UdpEndpointOptions): Promise<UdpEndpoint> {
  const endpoint = await openUdpEndpoint(options, mode);
  cleanups.push(() => endpoint.close());
  return endpoint;
}

function bound(mode: UdpMode, host = "127.0.0.1"): Promise<UdpEndpoint> {
  return opened(mode, { family: host.includes(":") ? 6 : 4, bind: { host, port: 0 } });
}

interface Heard {
  readonly text: string;
  readonly from: UdpAddress;
}

/** What comes in, each datagram with where it came from. */
function listenTo(endpoint: UdpEndpoint): Heard[] {
  const heard: Heard[] = [];
  endpoint.receive({
    onDatagram: (datagram, { address, port }) =>
      heard.push({ text: datagram.toString("latin1"), from: { host: address, port } }),
  });
  return heard;
}

/** Sends the datagrams in one turn, as a connection would. */
function sendAll(
  endpoint: UdpEndpoint,
  datagrams: readonly { text: string; to?: UdpAddress }[],
  room = 1200,
): Promise<void> {
  return new Promise((resolve) => {
    const left = [...datagrams];
    const taker = {
      process() {},
      flush() {
        for (let next = left[0]; next !== undefined; next = left[0]) {
          left.shift();
          const buffer = endpoint.packetBuffer(Math.max(room, next.text.length));
          Buffer.from(next.text, "latin1").copy(buffer);
          if (!endpoint.transmit(next.text.length, next.to)) return false;
        }
        resolve();
        return true;
      },
    };
    endpoint.flushLater(taker, "data");
  });
}

async function plainSocket(host = "127.0.0.1"): Promise<Socket> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  cleanups.push(() => new Promise<void>((resolve) => void socket.close(resolve)));
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

function texts(heard: Heard[]): string[] {
  return heard.map(({ text }) => text);
}

describe.each(["auto", "node"] as const)("a UDP endpoint (%s)", (mode) => {
  test("is the one that was asked for", async () => {
    const endpoint = await bound(mode);
    expect(endpoint).toBeInstanceOf(mode === "auto" && hasLibc ? BatchEndpoint : DgramEndpoint);
  });

  test("sends every datagram by itself, in order, whatever its size", async () => {
    const [sender, receiver] = [await bound(mode), await bound(mode)];
    const heard = listenTo(receiver);
    const sizes = [
      ...Array.from({ length: 100 }, () => 1200),
      700,
      700,
      1,
      1200,
      1199,
      1200,
      1200,
      1,
      1,
      2,
      ...Array.from({ length: 9 }, () => 16_376),
    ];
    const sent = sizes.map((size, index) => String.fromCodePoint(97 + (index % 26)).repeat(size));
    await sendAll(
      sender,
      sent.map((text) => ({ text, to: receiver.address })),
    );
    await vi.waitFor(() => expect(heard.length).toBe(sent.length));
    expect(texts(heard)).toEqual(sent);
    expect(new Set(heard.map(({ from }) => `${from.host} ${from.port}`))).toEqual(
      new Set([`127.0.0.1 ${sender.address.port}`]),
    );
  });

  test("sends each datagram where it belongs", async () => {
    const sender = await bound(mode);
    const receivers = await Promise.all(Array.from({ length: 5 }, () => bound(mode)));
    const heard = receivers.map(listenTo);
    const sent = Array.from({ length: 200 }, (_, index) => ({
      text: `${index}`.padStart(900),
      which: (index * 7) % 5,
    }));
    await sendAll(
      sender,
      sent.map(({ text, which }) => ({ text, to: receivers[which]!.address })),
    );
    await vi.waitFor(() => expect(heard.flat().length).toBe(sent.length));
    for (const [which, each] of heard.entries()) {
      expect(texts(each)).toEqual(sent.filter((one) => one.which === which).map(({ text }) => text));
    }
  });

  test("takes any datagrams of a plain socket", async () => {
    const [socket, receiver] = [await plainSocket(), await bound(mode)];
    const heard = listenTo(receiver);
    const size = fc.oneof(fc.constantFrom(1, 1200, 1350), fc.integer({ min: 1, max: 3000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 60 }), async (sizes) => {
        heard.length = 0;
        const sent = sizes.map((bytes, index) => String.fromCodePoint(33 + index).repeat(bytes));
        for (const text of sent) socket.send(Buffer.from(text), receiver.address.port, "127.0.0.1");
        await vi.waitFor(() => expect(heard.length).toBe(sent.length), { interval: 2 });
        expect(texts(heard)).toEqual(sent);
      }),
      { numRuns: 30 },
    );
  });

  test("a plain socket takes what it sends", async () => {
    const [socket, sender] = [await plainSocket(), await bound(mode)];
    const heard: string[] = [];
    socket.on("message", (datagram) => heard.push(datagram.toString("latin1")));
    const sent = Array.from({ length: 60 }, (_, index) =>
      String.fromCodePoint(33 + index).repeat(index % 20 === 19 ? 9 : 1200),
    );
    const to = { host: "127.0.0.1", port: socket.address().port };
    await sendAll(
      sender,
      sent.map((text) => ({ text, to })),
    );
    await vi.waitFor(() => expect(heard.length).toBe(sent.length));
    expect(heard).toEqual(sent);
  });

  test.each([
    { host: "127.0.0.1", toHost: "127.0.0.1", spelled: "127.0.0.1" },
    { host: "::1", toHost: "::1", spelled: "::1" },
    { host: "::", toHost: "::1", spelled: "::1" },
    { host: "::", toHost: "127.0.0.1", spelled: "::ffff:127.0.0.1" },
  ])("$host hears $toHost as $spelled, and answers", async ({ host, toHost, spelled }) => {
    const endpoint = await bound(mode, host);
    const heard = listenTo(endpoint);
    const socket = await plainSocket(toHost);
    socket.send("question", endpoint.address.port, toHost);
    await vi.waitFor(() => expect(heard.length).toBe(1));
    const { from } = heard[0]!;
    expect(from).toEqual({ host: spelled, port: socket.address().port });
    const answer = once(socket, "message");
    await sendAll(endpoint, [{ text: "answer", to: from }]);
    expect(String((await answer)[0])).toBe("answer");
  });

  test("connected, hears only its peer", async () => {
    const [peer, stranger] = [await plainSocket(), await plainSocket()];
    const endpoint = await opened(mode, { family: 4, connect: { host: "127.0.0.1", port: peer.address().port } });
    const heard = listenTo(endpoint);
    await sendAll(endpoint, [{ text: "hello" }]);
    const [, { port }] = (await once(peer, "message")) as [Buffer, { port: number }];
    stranger.send("stranger", port, "127.0.0.1");
    peer.send("peer", port, "127.0.0.1");
    await vi.waitFor(() => expect(texts(heard)).toEqual(["peer"]));
    expect(endpoint.address.port).toBe(port);
  });

  test("connected to nobody, says so and goes on", async () => {
    const peer = await plainSocket();
    const { port } = peer.address();
    const endpoint = await opened(mode, { family: 4, connect: { host: "127.0.0.1", port } });
    const errors: (string | undefined)[] = [];
    const heard: string[] = [];
    endpoint.receive({
      onDatagram: (datagram) => heard.push(datagram.toString()),
      onError: ({ code }) => errors.push(code),
    });
    await new Promise<void>((resolve) => void peer.close(resolve));
    cleanups.splice(0, 1);
    for (let round = 1; round <= 3; round += 1) {
      await sendAll(endpoint, [{ text: "anybody?" }]);
      await vi.waitFor(() => expect(errors.length).toBeGreaterThanOrEqual(round));
    }
    expect(new Set(errors)).toEqual(new Set(["ECONNREFUSED"]));
    const late = createSocket("udp4");
    cleanups.push(() => new Promise<void>((resolve) => void late.close(resolve)));
    late.bind(port, "127.0.0.1");
    await once(late, "listening");
    await sendAll(endpoint, [{ text: "anybody now?" }]);
    const [, from] = (await once(late, "message")) as [Buffer, { port: number }];
    late.send("yes", from.port, "127.0.0.1");
    await vi.waitFor(() => expect(heard).toEqual(["yes"]));
  });

  test("is not troubled by empty datagrams, nor by the largest", async () => {
    const [socket, endpoint] = [await plainSocket(), await bound(mode)];
    const heard = listenTo(endpoint);
    const { port } = endpoint.address;
    for (const bytes of [0, 65_507, 0, 1]) socket.send(Buffer.alloc(bytes, 1), port, "127.0.0.1");
    await vi.waitFor(() => expect(heard.at(-1)?.text.length).toBe(1));
    expect(heard.map(({ text }) => text.length).filter((length) => length > 0)).toEqual([65_507, 1]);
  });

  test("what cannot be sent is lost, and nothing else", async () => {
    const [sender, receiver] = [await bound(mode), await bound(mode)];
    const heard = listenTo(receiver);
    const nowhere = { host: "240.0.0.1", port: 9 };
    await sendAll(sender, [
      { text: "one", to: receiver.address },
      { text: "lost", to: nowhere },
      { text: "two", to: receiver.address },
    ]);
    sender.sendCopy(Buffer.from("lost"), nowhere);
    sender.sendCopy(Buffer.alloc(0), receiver.address);
    sender.sendCopy(Buffer.from("three"), receiver.address);
    await vi.waitFor(() => expect(texts(heard).filter((text) => text !== "")).toEqual(["one", "two", "three"]));
  });

  test("hands over nothing after it was closed from within", async () => {
    const [sender, receiver] = [await bound(mode), await bound(mode)];
    let count = 0;
    const closed = new Promise<void>((resolve) => {
      receiver.receive({
        onDatagram: () => {
          count += 1;
          if (count === 3) void receiver.close().then(resolve);
        },
      });
    });
    await sendAll(
      sender,
      Array.from({ length: 100 }, () => ({ text: "x".repeat(1200), to: receiver.address })),
    );
    await closed;
    await setTimeout(20);
    expect(count).toBe(3);
  });

  test("is closed while it sends, and takes no harm from being used after that", async () => {
    const [sender, receiver] = [await bound(mode), await bound(mode)];
    let flushed = 0;
    const taker = {
      process() {},
      flush() {
        flushed += 1;
        for (let count = 0; count < 500; count += 1) {
          sender.packetBuffer(1200).fill(1);
          if (count === 250) void sender.close();
          sender.transmit(1200, receiver.address);
        }
        sender.submit();
        return true;
      },
    };
    sender.flushLater(taker, "data");
    await vi.waitFor(() => expect(flushed).toBe(1));
    sender.sendCopy(Buffer.of(1), receiver.address);
    sender.flushLater(taker, "acknowledgements");
    sender.processLater(taker);
    sender.unref();
    await sender.close();
    await setImmediate();
    expect(flushed).toBe(1);
  });

  test("opens what can be opened, and says what is wrong with the rest", async () => {
    const taken = await bound(mode);
    const cases: [UdpEndpointOptions, string][] = [
      [{ family: 4, bind: { host: "127.0.0.1", port: taken.address.port } }, "address-in-use"],
      [{ family: 4, bind: { host: "192.0.2.1", port: 0 } }, "invalid-argument"],
      [{ family: 4, connect: { host: "255.255.255.255", port: 9 } }, "invalid-argument"],
    ];
    for (const [options, code] of cases) await expect(opened(mode, options)).rejects.toMatchObject({ code });
  });

  test.skipIf(process.platform !== "linux")("leaves no descriptor behind", async () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let count = 0; count < 200; count += 1) {
      const endpoint = await openUdpEndpoint({ family: 4, bind: { host: "127.0.0.1", port: 0 } }, mode);
      if (count % 2 === 0) endpoint.receive({ onDatagram: () => {} });
      await endpoint.close();
      await openUdpEndpoint({ family: 4, bind: { host: "192.0.2.1", port: 0 } }, mode).catch(() => {});
    }
    await vi.waitFor(() => expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before));
  });
});

describe("many datagrams a system call", () => {
  /** The real one, with an eye on how much is sent and received at once. */
  function watched(): { libc: Libc; calls: { sent: number[]; received: number[] } } {
    const calls = { sent: [] as number[], received: [] as number[] };
    const real = libc as Libc;
    const wrapped = {
      ...real,
      sendmmsg: (...args: Parameters<Libc["sendmmsg"]>) => {
        const result = real.sendmmsg(...args);
        calls.sent.push(result);
        return result;
      },
      recvmmsg: (...args: Parameters<Libc["recvmmsg"]>) => {
        const result = real.recvmmsg(...args);
        calls.received.push(result);
        return result;
      },
    };
    return { libc: wrapped, calls };
  }

  test.runIf(hasLibc)("one call for what fits into one message, however many datagrams that is", async () => {
    const { libc: eye, calls } = watched();
    const sender = BatchEndpoint.open(eye, { family: 4, bind: { host: "127.0.0.1", port: 0 } });
    cleanups.push(() => sender.close());
    const receiver = await bound("auto");
    const heard = listenTo(receiver);
    await sendAll(
      sender,
      Array.from({ length: 54 }, () => ({ text: "x".repeat(1200), to: receiver.address })),
    );
    await vi.waitFor(() => expect(heard.length).toBe(54));
    expect(calls.sent).toEqual([1]);
  });

  test.runIf(hasLibc)("one call for several places", async () => {
    const { libc: eye, calls } = watched();
    const sender = BatchEndpoint.open(eye, { family: 4, bind: { host: "127.0.0.1", port: 0 } });
    cleanups.push(() => sender.close());
    const receivers = await Promise.all(Array.from({ length: 20 }, () => bound("auto")));
    const heard = receivers.map(listenTo);
    await sendAll(
      sender,
      receivers.map(({ address }) => ({ text: "x".repeat(100), to: address })),
    );
    await vi.waitFor(() => expect(heard.flat().length).toBe(20));
    expect(calls.sent).toEqual([20]);
  });

  test.runIf(hasLibc)("without messages that the kernel cuts, where it cannot", async () => {
    const { libc: eye, calls } = watched();
    let fd = -1;
    const socket = (...args: Parameters<Libc["socket"]>) => (fd = eye.socket(...args));
    const sender = BatchEndpoint.open({ ...eye, socket }, { family: 4, bind: { host: "127.0.0.1", port: 0 } });
    cleanups.push(() => sender.close());
    // Without checksums the kernel cuts nothing.
    const one = Buffer.alloc(4, 0);
    one.writeUInt32LE(1);
    const soNoCheck = 11;
    expect(eye.setsockopt(fd, 1, soNoCheck, eye.addressOf(one), one.length)).toBe(0);
    const receiver = await bound("auto");
    const heard = listenTo(receiver);
    const sent = Array.from({ length: 100 }, (_, index) => String.fromCodePoint(33 + (index % 90)).repeat(1200));
    for (let round = 1; round <= 2; round += 1) {
      await sendAll(
        sender,
        sent.map((text) => ({ text, to: receiver.address })),
      );
      await vi.waitFor(() => expect(heard.length).toBe(round * sent.length));
    }
    expect(texts(heard)).toEqual([...sent, ...sent]);
    // It was tried once.
    expect(calls.sent.filter((result) => result < 0).length).toBe(1);
  });

  test.runIf(hasLibc)("knows what a way takes in one piece", async () => {
    const endpoint = await bound("auto", "::");
    expect(endpoint.largestDatagram("127.0.0.1")).toBeGreaterThan(1400);
    expect(endpoint.largestDatagram("::ffff:127.0.0.1")).toBe(endpoint.largestDatagram("127.0.0.1"));
    // The header is longer by 20; IPv4 counts it within its 65535.
    expect([19, 20]).toContain(endpoint.largestDatagram("127.0.0.1")! - endpoint.largestDatagram("::1")!);
    expect(endpoint.largestDatagram("255.255.255.255")).toBeUndefined();
    expect(endpoint.largestDatagram("nonsense")).toBeUndefined();
  });

  test.runIf(hasLibc)("sends nothing in fragments, where loopback carries no more than Ethernet", async (context) => {
    const inside = ["-n", "sh", "-c", 'ip link set lo up mtu 1500 && exec "$@"', "sh"];
    const possible = spawnSync("unshare", [...inside, "true"]).status === 0;
    context.skip(!possible, "no network namespaces on this machine");
    const built = new BuiltPackage();
    cleanups.push(() => built.remove());
    const program = built.write("transfer.js", transferProgram);
    for (const [host, bytes] of [
      ["127.0.0.1", 1472],
      ["::1", 1452],
    ]) {
      const { stdout, stderr } = spawnSync("unshare", [...inside, process.execPath, program, `${host}`], {
        encoding: "utf8",
      });
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toEqual({ datagramBytes: [bytes, bytes], fragments: "0" });
    }
  });

  test.runIf(hasLibc)("a program may end with an open socket at which something waits", () => {
    const built = new BuiltPackage();
    cleanups.push(() => built.remove());
    const program = built.write("end.js", endProgram);
    for (const how of ["by itself", "exit"]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, how], { encoding: "utf8" });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "BatchEndpoint\n", stderr: "" });
    }
  });

  test("a worker thread, which may be terminated at any time, has plain sockets", async () => {
    const built = new BuiltPackage();
    cleanups.push(() => built.remove());
    const worker = new Worker(built.write("worker.js", `process.argv[2] = "by itself";\n${endProgram}`), {
      stdout: true,
    });
    expect(String((await once(worker.stdout, "data"))[0])).toBe("DgramEndpoint\n");
    await worker.terminate();
  });
});

/** Opens a socket to which something is sent only when nothing is read any more. */
const endProgram = `
  import { openUdpEndpoint } from "./transports/quic/udp/open-udp-endpoint.js";
  const endpoint = await openUdpEndpoint({ family: 4, bind: { host: "127.0.0.1", port: 0 } });
  process.on("exit", () => endpoint.sendCopy(Buffer.of(1), endpoint.address));
  endpoint.receive({ onDatagram: () => {} });
  console.log(endpoint.constructor.name);
  if (process.argv[2] === "exit") process.exit();
  endpoint.unref();
`;

/** Transfers some over conec's QUIC and prints how large its datagrams became, and how many fragments there were. */
const transferProgram = `
  import { readFileSync } from "node:fs";
  import { createSelfSignedCertificate, listen, quic } from "./transports/quic/index.js";
  const host = process.argv[2];
  const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
  const listener = await listen({ host, cert, key });
  const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
  const url = "https://" + (host.includes(":") ? "[" + host + "]" : host) + ":" + listener.address.port;
  const [client, { value: far }] = await Promise.all([
    transport.connect(url),
    listener.incomingConnections.getReader().read(),
  ]);
  const { readable, writable } = await client.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(100));
  const { value: echo } = await far.incomingBidirectionalStreams.getReader().read();
  void echo.readable.pipeTo(echo.writable);
  const writing = (async () => {
    for (let count = 0; count < 50; count += 1) await writer.write(new Uint8Array(65_536));
    await writer.close();
  })();
  for await (const chunk of readable);
  await writing;
  const datagramBytes = [client, far].map(async (each) => (await each.getStats()).datagramBytes);
  const [names, values] = readFileSync("/proc/net/snmp", "latin1").split("\\n").filter((line) => line.startsWith("Ip:"));
  const fragments = values.split(" ")[names.split(" ").indexOf("FragCreates")];
  console.log(JSON.stringify({ datagramBytes: await Promise.all(datagramBytes), fragments }));
  client.close();
  await listener.close();
`;
