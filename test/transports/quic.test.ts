import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";

import type { Connection } from "../../src/core/transport.ts";
import { Acceptor } from "../../src/transports/quic/acceptor.ts";
import { defaultAdmissionLimits } from "../../src/transports/quic/admission.ts";
import { loadBinding } from "../../src/transports/quic/binding.ts";
import { createEngineConfig } from "../../src/transports/quic/config.ts";
import { defaultConnectionLimits } from "../../src/transports/quic/connection-limits.ts";
import { pathProfile } from "../../src/transports/quic/datagram-sizes.ts";
import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import type { QuicListener, QuicListenOptions, QuicOptions } from "../../src/transports/quic/index.ts";
import { openUdpEndpoint } from "../../src/transports/quic/udp/open-udp-endpoint.ts";
import { createAuthority } from "../support/certificates.ts";
import { UdpPath } from "../support/network/udp-path.js";
import { transportContract } from "./contract.ts";
import type { ConnectedPair } from "./contract.ts";

const authority = createAuthority();
const server = authority.issue();
const { ca } = authority;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listening(options: Partial<QuicListenOptions> = {}): Promise<QuicListener> {
  const listener = await listen({ host: "127.0.0.1", ...server, ...options });
  cleanups.push(() => listener.close());
  return listener;
}

async function dialled(port: number, options: QuicOptions = {}, host = "127.0.0.1"): Promise<Connection> {
  const connection = await quic({ ca, ...options }).connect(`https://${host}:${port}`);
  cleanups.push(() => connection.close());
  return connection;
}

/** The server's end of the next connection. */
async function accepted(listener: QuicListener): Promise<Connection> {
  const reader = listener.incomingConnections.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) throw new Error("the listener closed");
  return value;
}

async function forwarding(listener: QuicListener): Promise<UdpPath> {
  const forwarder = await UdpPath.open({ serverPort: listener.address.port });
  cleanups.push(() => forwarder.close());
  return forwarder;
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

async function connectedPair(
  clientOptions: QuicOptions = {},
  serverOptions: Partial<QuicListenOptions> = {},
): Promise<ConnectedPair> {
  const listener = await listen({ host: "127.0.0.1", ...server, ...serverOptions });
  const [client, far] = await Promise.all([
    quic({ ca, ...clientOptions }).connect(`https://127.0.0.1:${listener.address.port}`),
    accepted(listener),
  ]);
  return {
    client,
    server: far,
    async close() {
      client.close();
      await listener.close();
    },
  };
}

transportContract("quic", () => connectedPair());
transportContract("quic, 1350-byte datagrams", () =>
  connectedPair({ maxDatagramBytes: 1350 }, { maxDatagramBytes: 1350 }),
);

describe("addresses", () => {
  test.each([
    { host: "127.0.0.1", dialledAs: "127.0.0.1" },
    { host: "::1", dialledAs: "[::1]" },
    { host: undefined, dialledAs: "127.0.0.1" },
    { host: undefined, dialledAs: "[::1]" },
    { host: undefined, dialledAs: "localhost" },
    { host: "127.0.0.1", dialledAs: "localhost" },
    { host: "localhost", dialledAs: "localhost" },
  ])("listen on $host, dial $dialledAs", async ({ host, dialledAs }) => {
    const listener = await listening({ host });
    const client = await dialled(listener.address.port, {}, dialledAs);
    const far = await accepted(listener);
    await echo(client, far, 100_000);
    expect(["127.0.0.1", "::1"]).toContain(far.remote.host);
    expect(client.remote.port).toBe(listener.address.port);
    expect(far.remote.certificates).toBeUndefined();
    expect(client.remote.certificates?.length).toBe(1);
  });

  test("from a chosen local address", async () => {
    const listener = await listening();
    await dialled(listener.address.port, { localAddress: "127.0.0.2" });
    expect((await accepted(listener)).remote.host).toBe("127.0.0.2");
  });

  test("a port that is taken", async () => {
    const { address } = await listening();
    await expect(listening({ port: address.port })).rejects.toMatchObject({ code: "address-in-use" });
  });

  test("a port that is free again", async () => {
    const listener = await listening();
    await listener.close({ reason: "moving" });
    await expect(listener.closed).resolves.toBeUndefined();
    await listening({ port: listener.address.port });
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
});

describe("certificates", () => {
  test.each(["ecdsa", "ed25519", "rsa"] as const)("%s", async (keyKind) => {
    const listener = await listening(authority.issue({ keyKind }));
    const client = await dialled(listener.address.port, {}, "localhost");
    await echo(client, await accepted(listener));
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
    await expect(quic().connect(`https://localhost:${listener.address.port}`)).rejects.toMatchObject({
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
    const pins = [good.hash, old.hash].map((value) => ({ algorithm: "sha-256", value }));
    const listener = await listening(good);
    for (const host of ["localhost", "127.0.0.1"]) {
      await dialled(listener.address.port, { serverCertificateHashes: pins }, host);
    }
    listener.updateCertificate(other);
    await expect(dialled(listener.address.port, { serverCertificateHashes: pins })).rejects.toMatchObject({
      code: "certificate-untrusted",
    });
    listener.updateCertificate(old);
    await expect(dialled(listener.address.port, { serverCertificateHashes: pins })).rejects.toMatchObject({
      code: "certificate-expired",
    });
  });

  test("replaced while connections are open", async () => {
    const listener = await listening();
    const early = await dialled(listener.address.port);
    const earlyFar = await accepted(listener);
    const second = createAuthority("another");
    listener.updateCertificate(second.issue());
    await echo(early, earlyFar);
    await expect(dialled(listener.address.port)).rejects.toMatchObject({ code: "certificate-untrusted" });
    await dialled(listener.address.port, { ca: [ca, second.ca] });
  });

  const rsaKey = authority.issue({ keyKind: "rsa" }).key;
  test.each([
    { what: "no PEM", identity: { cert: "", key: server.key } },
    { what: "a broken certificate", identity: { cert: server.cert.replace(/[A-Z]{6}/, "??????"), key: server.key } },
    { what: "no key", identity: { cert: server.cert, key: "" } },
    { what: "a certificate as the key", identity: { cert: server.cert, key: server.cert } },
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
    const started = performance.now();
    for (const host of ["127.0.0.1", "localhost"]) {
      await expect(dialled(listener.address.port, {}, host)).rejects.toMatchObject({ code: "unreachable" });
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("a host that does not exist", async () => {
    await expect(quic({ ca }).connect("https://no-such-host.invalid:1")).rejects.toMatchObject({ code: "unreachable" });
  });

  test("somebody listens and says nothing", async () => {
    const port = await silentPort();
    await expect(dialled(port, { connectTimeoutMs: 150 })).rejects.toMatchObject({ code: "timeout" });
  });

  test("the caller gives up, before and while connecting", async () => {
    const port = await silentPort();
    const reason = new Error("changed my mind");
    const transport = quic({ ca });
    const url = `https://127.0.0.1:${port}`;
    await expect(transport.connect(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const connecting = transport.connect(url, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(connecting).rejects.toBe(reason);
  });

  test("a listener that was given up", async () => {
    const reason = new Error("changed my mind");
    await expect(listening({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("a server that speaks something else", async () => {
    const port = await otherProtocolPort();
    await expect(dialled(port)).rejects.toMatchObject({ code: "alpn-mismatch" });
  });

  test.each([
    "http://127.0.0.1:1",
    "quic://127.0.0.1:1",
    "127.0.0.1:1",
    "https://127.0.0.1:0",
    "",
    "https://127.0.0.1:99999",
  ])("not an address: %s", async (url) => {
    await expect(quic({ ca }).connect(url)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test.each<QuicOptions>([
    { maxDatagramBytes: 1199 },
    { maxDatagramBytes: 65_528 },
    { maxDatagramBytes: 1350.5 },
    { maxDatagramBytes: Number.NaN },
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
    expect(() => quic(options)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test.each<Partial<QuicListenOptions>>([
    { port: -1 },
    { port: 65_536 },
    { maxDatagramBytes: 100 },
    { idleTimeoutMs: 0 },
    { statelessResetKey: new Uint8Array(16) },
    { limits: { maxHalfOpen: -1 } },
    { limits: { toString: 1 } as object },
    { host: "no-such-host.invalid" },
  ])("not an option of a listener: %o", async (options) => {
    await expect(listening(options)).rejects.toMatchObject({ code: "invalid-argument" });
  });
});

describe("handshakes", () => {
  test.each([1000, 600_000])("a client may be asked to show that its address is its own: %i", async (idleTimeoutMs) => {
    const listener = await listening({ limits: { retryAboveHalfOpen: 0 }, idleTimeoutMs });
    const client = await dialled(listener.address.port);
    await echo(client, await accepted(listener));
    expect(await listener.getStats()).toMatchObject({
      retried: 1,
      accepted: 1,
      dropped: 0,
      halfOpen: 0,
      connections: 1,
    });
  });

  test("200 clients at once", async () => {
    const listener = await listening();
    const clients = await Promise.all(Array.from({ length: 200 }, () => dialled(listener.address.port)));
    await vi.waitFor(async () => expect((await listener.getStats()).accepted).toBe(200));
    expect((await listener.getStats()).halfOpen).toBe(0);
    for (const client of clients) client.close();
    await Promise.all(clients.map((client) => client.closed));
  });

  test("a handshake that stops half-way is forgotten", async () => {
    const listener = await listening({ idleTimeoutMs: 200 });
    const forwarder = await forwarding(listener);
    forwarder.pass = (_datagram, direction) => direction === "to-server";
    await expect(dialled(forwarder.port, { connectTimeoutMs: 100 })).rejects.toMatchObject({ code: "timeout" });
    await vi.waitFor(
      async () => expect(await listener.getStats()).toMatchObject({ halfOpen: 0, connections: 0 }),
      10_000,
    );
  });

  test("a handshake that takes too long is given up", async () => {
    const listener = await listening({ limits: { handshakeTimeoutMs: 50 } });
    const forwarder = await forwarding(listener);
    forwarder.pass = (_datagram, direction) => direction === "to-server";
    await expect(dialled(forwarder.port, { connectTimeoutMs: 100 })).rejects.toMatchObject({ code: "timeout" });
    await vi.waitFor(async () => expect(await listener.getStats()).toMatchObject({ halfOpen: 0, handshakesFailed: 1 }));
  });

  test("what is no packet disturbs nobody", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const seen: Buffer[] = [];
    forwarder.pass = (datagram) => {
      if (seen.length < 50) seen.push(Buffer.from(datagram));
      return true;
    };
    const client = await dialled(forwarder.port);
    const far = await accepted(listener);
    await echo(client, far, 10_000);
    for (let round = 0; round < 300; round += 1) {
      const noise = randomBytes(1 + ((round * 37) % 1400));
      const copy = Buffer.from(seen[round % seen.length] as Buffer);
      const flipped = Buffer.from(copy);
      flipped[round % flipped.length] = (flipped[round % flipped.length] as number) ^ (1 << (round % 8));
      const otherVersion = Buffer.concat([Buffer.of(0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8), randomBytes(1300)]);
      for (const datagram of [noise, copy, flipped, copy.subarray(0, round % copy.length), otherVersion]) {
        forwarder.inject(datagram, "to-server");
        forwarder.inject(datagram, "to-client");
      }
      if (round % 50 === 0) await echo(client, far);
    }
    await echo(client, far, 100_000);
    expect((await listener.getStats()).accepted).toBe(1);
  });

  test("a truncated or too small first packet is not answered", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const answers: Buffer[] = [];
    forwarder.pass = (datagram, direction) => {
      if (direction === "to-client") answers.push(datagram);
      else forwarder.inject(datagram.subarray(0, 1199), "to-server");
      return false;
    };
    await expect(dialled(forwarder.port, { connectTimeoutMs: 200 })).rejects.toMatchObject({ code: "timeout" });
    expect(answers).toEqual([]);
    expect(await listener.getStats()).toMatchObject({ connections: 0, halfOpen: 0 });
  });
});

describe("loss of the other end", () => {
  test("silence for longer than the idle timeout", async () => {
    const listener = await listening({ idleTimeoutMs: 300 });
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port, { idleTimeoutMs: 300 });
    const far = await accepted(listener);
    await echo(client, far);
    forwarder.pass = () => false;
    await expect(client.closed).rejects.toMatchObject({ code: "connection-lost", source: "connection" });
    await expect(far.closed).rejects.toMatchObject({ code: "connection-lost" });
    await expect(client.createUnidirectionalStream()).rejects.toMatchObject({ code: "connection-lost" });
  });

  test("an idle connection is kept alive", async () => {
    const listener = await listening({ idleTimeoutMs: 300 });
    const client = await dialled(listener.address.port, { idleTimeoutMs: 300, keepAliveIntervalMs: 50 });
    const far = await accepted(listener);
    const { packetsReceived = 0 } = await far.getStats();
    await vi.waitFor(
      async () => expect((await far.getStats()).packetsReceived).toBeGreaterThan(packetsReceived + 15),
      5000,
    );
    await echo(client, far);
  });

  test("a restart on the same port is noticed at once", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port);
    await echo(client, await accepted(listener));
    // The server goes, and its last word is lost.
    const lastWord = new Promise<void>((resolve) => {
      forwarder.pass = (_datagram, direction) => {
        if (direction === "to-client") resolve();
        return false;
      };
    });
    await Promise.all([lastWord, listener.close()]);
    const restarted = await listening({ port: listener.address.port });
    // Until the client has asked several times, so that it would wait long before it asks again.
    let unheard = 7;
    let answered = Infinity;
    forwarder.pass = (_datagram, direction) => {
      if (direction === "to-client") answered = Math.min(answered, performance.now());
      return direction === "to-client" || --unheard < 0;
    };
    const writer = (await client.createUnidirectionalStream()).getWriter();
    void writer.write(Buffer.from("anybody?"));
    await expect(client.closed).rejects.toMatchObject({ code: "connection-lost" });
    await expect(writer.closed).rejects.toMatchObject({ code: "connection-lost" });
    expect(performance.now() - answered).toBeLessThan(250);
    expect((await restarted.getStats()).statelessResets).toBeGreaterThan(0);
  });
});

describe("loss", () => {
  test.each([0.02, 0.1])("%f of all datagrams in both directions", { timeout: 60_000 }, async (loss) => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port, { maxDatagramBytes: 1350 });
    const far = await accepted(listener);
    forwarder.set({ loss });
    const count = 200;
    const writing = Array.from({ length: count }, async (_, index) => {
      const writer = (await client.createUnidirectionalStream()).getWriter();
      const written = writer.write(new Uint8Array(1 + index * 30));
      await Promise.all([written, writer.close()]);
    });
    const incoming = far.incomingUnidirectionalStreams.getReader();
    const lengths = await Promise.all(
      Array.from({ length: count }, async () => {
        let length = 0;
        for await (const chunk of (await incoming.read()).value ?? []) length += chunk.length;
        return length;
      }),
    );
    await Promise.all(writing);
    await echo(client, far, 200_000);
    expect(lengths.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => 1 + index * 30));
  });

  test("leaves the round-trip time what it is", { timeout: 60_000 }, async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port, { maxDatagramBytes: 1350 });
    const far = await accepted(listener);
    forwarder.set({ delayMs: 10, loss: 0.1 });
    for (let round = 0; round < 5; round += 1) await echo(client, far, 60_000);
    for (const connection of [client, far]) expect((await connection.getStats()).rttMs).toBeLessThan(200);
  });

  test("duplicates and reordering", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port, { maxDatagramBytes: 1350 });
    const far = await accepted(listener);
    forwarder.set({ duplicate: 0.05, reorder: 0.2, reorderMs: 3 });
    await echo(client, far, 500_000);
  });
});

describe("hostile streams", () => {
  test("more streams at once than the limit", async () => {
    const listener = await listening({ limits: { maxIncomingStreams: 100 } });
    const client = await dialled(listener.address.port);
    const other = await dialled(listener.address.port);
    const [far, otherFar] = [await accepted(listener), await accepted(listener)];
    for (let count = 0; count < 101; count += 1) {
      const writer = (await client.createUnidirectionalStream()).getWriter();
      writer.closed.catch(() => {});
      writer.write(Buffer.from("x")).catch(() => {});
    }
    await expect(far.closed).rejects.toMatchObject({ code: "limit-exceeded", remote: true });
    await expect(client.closed).rejects.toMatchObject({ code: "protocol-error", remote: true });
    await echo(other, otherFar);
  });

  test("any number of streams one after the other", async () => {
    const listener = await listening({ limits: { maxIncomingStreams: 100 } });
    const client = await dialled(listener.address.port);
    const far = await accepted(listener);
    const incoming = far.incomingBidirectionalStreams.getReader();
    for (let round = 0; round < 400; round += 1) {
      const { readable, writable } = await client.createBidirectionalStream();
      const writer = writable.getWriter();
      const written = Promise.all([writer.write(Buffer.from("x")), writer.close()]);
      const { value } = await incoming.read();
      const piping = value?.readable.pipeTo(value.writable);
      for await (const chunk of readable) expect(chunk.length).toBe(1);
      await Promise.all([written, piping]);
    }
  });
});

describe("datagram size", () => {
  test("grows to what loopback carries", async () => {
    const listener = await listening();
    const client = await dialled(listener.address.port);
    const far = await accepted(listener);
    await untilDatagramBytes(16_376, client, far);
    const { packetsSent: before = 0 } = await client.getStats();
    await echo(client, far, 1_000_000);
    const { packetsSent: after = 0 } = await client.getStats();
    expect(after - before).toBeLessThan(300);
  });

  test.each([1200, 1350, 4000])("is never above maxDatagramBytes: %i", async (maxDatagramBytes) => {
    const listener = await listening({ maxDatagramBytes });
    const forwarder = await forwarding(listener);
    const sizes = { "to-server": [] as number[], "to-client": [] as number[] };
    forwarder.pass = (datagram, direction) => {
      sizes[direction].push(datagram.length);
      return true;
    };
    const client = await dialled(forwarder.port, { maxDatagramBytes });
    const far = await accepted(listener);
    await untilDatagramBytes(maxDatagramBytes, client, far);
    sizes["to-server"].length = 0;
    await echo(client, far, 1_000_000);
    for (const seen of Object.values(sizes)) {
      expect(Math.max(...seen)).toBe(maxDatagramBytes);
      expect(seen.filter((size) => size === maxDatagramBytes).length).toBeGreaterThan(
        (0.7 * 1_000_000) / maxDatagramBytes,
      );
    }
  });

  test("stays at 1200 on a path that swallows more", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    forwarder.pass = (datagram) => datagram.length <= 1200;
    const client = await dialled(forwarder.port);
    const far = await accepted(listener);
    await echo(client, far, 300_000);
    expect(await client.getStats()).toMatchObject({ datagramBytes: 1200, packetsLost: 0 });
  });

  test("takes what is proven on a path with a size in between", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    forwarder.pass = (datagram) => datagram.length <= 5000;
    const client = await dialled(forwarder.port);
    const far = await accepted(listener);
    await untilDatagramBytes(4096, client, far);
    await echo(client, far, 300_000);
  });

  test("falls back when the path begins to swallow it", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port);
    const far = await accepted(listener);
    await untilDatagramBytes(16_376, client, far);
    forwarder.pass = (datagram) => datagram.length <= 1200;
    await echo(client, far, 300_000);
    expect((await client.getStats()).datagramBytes).toBe(1200);
  });

  test("an answer to a probe is never larger than the probe, and nobody else gets one", async () => {
    const listener = await listening();
    const forwarder = await forwarding(listener);
    const client = await dialled(forwarder.port);
    const far = await accepted(listener);
    const probes: number[] = [];
    const echoes: number[] = [];
    const firstProbe = new Promise<Buffer>((resolve) => {
      forwarder.pass = (datagram, direction) => {
        if (datagram[0] === 0 && direction === "to-server" && datagram.length > 1200) {
          probes.push(datagram.length);
          resolve(Buffer.from(datagram));
        }
        if (datagram[0] === 0 && direction === "to-client" && datagram.length < 1200) echoes.push(datagram.length);
        return true;
      };
    });
    await echo(client, far, 20_000);
    const probe = await firstProbe;
    const stranger = createSocket("udp4");
    cleanups.push(() => stranger.close());
    const heard: Buffer[] = [];
    stranger.on("message", (datagram) => heard.push(datagram));
    stranger.send(probe, listener.address.port, "127.0.0.1");
    for (let count = 0; count < 200; count += 1) forwarder.inject(probe, "to-server");
    await vi.waitFor(() => expect(echoes.length).toBeGreaterThan(10));
    expect(heard).toEqual([]);
    expect(Math.max(...echoes)).toBeLessThan(50);
    expect(echoes.length).toBeLessThan(60);
  });
});

describe("the process", () => {
  test("ends by itself when its connection is closed", { timeout: 60_000 }, () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    // Inside the package, so that its dependencies are found.
    const folder = mkdtempSync(join(root, "node_modules", ".quic-test-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const args = ["-p", join(root, "tsconfig.build.json"), "--outDir", folder, "--declaration", "false"];
    spawnSync(process.execPath, [tsc, ...args, "--declarationMap", "false"]);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(
      join(folder, "program.js"),
      `import { createSelfSignedCertificate, listen, quic } from "./transports/quic/index.js";
      const { cert, key, hash } = createSelfSignedCertificate();
      const listener = await listen({ cert, key });
      const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
      const client = await transport.connect("https://localhost:" + listener.address.port);
      const far = (await listener.incomingConnections.getReader().read()).value;
      const writer = (await client.createUnidirectionalStream()).getWriter();
      writer.write(new Uint8Array(100_000)).then(() => writer.close());
      let length = 0;
      for await (const chunk of (await far.incomingUnidirectionalStreams.getReader().read()).value) length += chunk.length;
      client.close();
      await far.closed;
      await listener.close();
      console.log(length);`,
    );
    const started = performance.now();
    const output = execFileSync(process.execPath, [join(folder, "program.js")], { encoding: "utf8", timeout: 20_000 });
    expect(output.trim()).toBe("100000");
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

/** Sends until both ends have found out how much the path carries. */
async function untilDatagramBytes(bytes: number, client: Connection, far: Connection): Promise<void> {
  await echo(client, far, 20_000);
  await vi.waitFor(async () => {
    for (const connection of [client, far]) expect((await connection.getStats()).datagramBytes).toBe(bytes);
  }, 5000);
}

/** A UDP port that takes everything and answers nothing. */
async function silentPort(): Promise<number> {
  const socket = createSocket("udp4");
  cleanups.push(() => new Promise<void>((resolve) => socket.close(resolve)));
  await new Promise<void>((resolve) => {
    socket.bind(0, "127.0.0.1", resolve);
  });
  return socket.address().port;
}

async function otherProtocolPort(): Promise<number> {
  const binding = await loadBinding();
  const endpoint = await openUdpEndpoint({ family: 4, bind: { host: "127.0.0.1", port: 0 } });
  const profile = pathProfile("127.0.0.1", {
    maxDatagramBytes: undefined,
    idleTimeoutMs: 1000,
    largestDatagram: undefined,
  });
  const tls = { verifyPeer: false, allowFailure: false, ca: null, cert: server.cert, key: server.key };
  const config = createEngineConfig(binding, tls, profile);
  config.setApplicationProtos(["something-else"]);
  const acceptor = new Acceptor({
    binding,
    endpoint,
    profileFor: () => ({ ...profile, config, server: { certificateHashes: [] }, certificateBytes: 0 }),
    statelessResetKey: randomBytes(32),
    limits: { ...defaultAdmissionLimits, ...defaultConnectionLimits },
    onConnection: () => {},
  });
  endpoint.receive({ onDatagram: (datagram, from) => acceptor.receive(datagram, from) });
  cleanups.push(async () => {
    acceptor.stop({ closeCode: 0, reason: "" });
    await endpoint.close();
  });
  return endpoint.address.port;
}
