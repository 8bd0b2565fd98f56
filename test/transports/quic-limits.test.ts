import { afterEach, describe, expect, test, vi } from "vitest";

import type { Connection } from "../../src/core/transport.ts";
import { AbortRate } from "../../src/transports/quic/abort-rate.ts";
import { FalseAcknowledgements } from "../../src/transports/quic/false-acknowledgements.ts";
import { IncomingStreams } from "../../src/transports/quic/incoming-streams.ts";
import { listen, quic } from "../../src/transports/quic/index.ts";
import type { QuicListener, QuicListenOptions } from "../../src/transports/quic/index.ts";
import { KeepAlive } from "../../src/transports/quic/keep-alive.ts";
import { ReceiveBudget } from "../../src/transports/quic/receive-budget.ts";
import { createAuthority } from "../support/certificates.ts";

describe("receive budget", () => {
  const none = () => 0;
  const create = () => new ReceiveBudget({ unreadBytes: 4_000_000 });

  function receive(budget: ReceiveBudget, packets: number, bytes = 1350): void {
    for (let count = 0; count < packets; count += 1) budget.received(bytes);
  }

  test("honest traffic stays inside, with one packet in eight for nothing", () => {
    const budget = create();
    let exceeded = 0;
    for (let count = 0; count < 100_000; count += 1) {
      budget.received(1350);
      if (count % 8 !== 0) budget.delivered(1300);
      if (budget.isExceeded(none)) exceeded += 1;
    }
    expect(exceeded).toBe(0);
  });

  test("64 KiB that are delivered to nobody are too much for a newcomer, 256 KiB and a fifth for others", () => {
    const newcomer = create();
    receive(newcomer, 50);
    expect(newcomer.isExceeded(none)).toBe(false);
    receive(newcomer, 1);
    expect(newcomer.isExceeded(none)).toBe(true);
    const other = create();
    other.received(1_000_000);
    other.delivered(1_000_000);
    receive(other, 350);
    expect(other.isExceeded(none)).toBe(false);
    receive(other, 10);
    expect(other.isExceeded(none)).toBe(true);
  });

  test("streams may hold their windows, all of them together so much", () => {
    const budget = create();
    receive(budget, 800);
    expect(budget.isExceeded(none)).toBe(true);
    expect(budget.isExceeded(() => 1_000_000)).toBe(false);
    receive(budget, 2600);
    expect(budget.isExceeded(() => 1_000_000)).toBe(true);
    expect(budget.isExceeded(() => 1e9)).toBe(true);
  });

  test("small packets are no way around it", () => {
    const budget = create();
    receive(budget, 4000, 64);
    expect(budget.isExceeded(none)).toBe(true);
  });

  test("an acknowledgement for each packet sent is none of it, but cannot be saved up for later", () => {
    const budget = create();
    const counts = { bytesReceived: 0, packetsReceived: 0, packetsSent: 0 };
    const settle = (packets: number, bytes: number, sent: number) => {
      counts.bytesReceived += packets * bytes;
      counts.packetsReceived += packets;
      counts.packetsSent += sent;
      receive(budget, packets, bytes);
      budget.settle(counts);
    };
    for (let round = 0; round < 100; round += 1) {
      for (let count = 0; count < 100; count += 1) budget.given(40_000);
      settle(2000, 70, 4000);
      expect(budget.isExceeded(none)).toBe(false);
    }
    for (let count = 0; count < 100; count += 1) budget.given(10_000_000);
    settle(0, 0, 1_000_000);
    settle(100, 1350, 0);
    expect(budget.isExceeded(none)).toBe(true);
  });

  test("what is sent without data is not acknowledged, and excuses nothing", () => {
    const budget = create();
    let packets = 0;
    while (packets < 10_000 && !budget.isExceeded(none)) {
      packets += 1;
      budget.received(64);
      // Each is acknowledged at once.
      budget.settle({ bytesReceived: 64 * packets, packetsReceived: packets, packetsSent: packets });
    }
    expect(packets).toBe(2731);
  });

  test.each([1, 2, 10, 100])(
    "a stream of messages of %i bytes, a packet each, is no more than it accounts for",
    (bytes) => {
      const budget = create();
      let exceeded = 0;
      for (let count = 0; count < 1_000_000; count += 1) {
        // Header, tag, header of the frame with the largest offset.
        budget.received(37 + 8 + bytes);
        budget.delivered(bytes);
        if (budget.isExceeded(none)) exceeded += 1;
      }
      expect(exceeded).toBe(0);
    },
  );

  test("what others made up or played back is not held against the peer, and no excuse for it", () => {
    const budget = create();
    let packets = 0;
    const settle = () => budget.settle({ bytesReceived: packets * 1350, packetsReceived: packets, packetsSent: 0 });
    for (let round = 0; round < 20; round += 1) {
      receive(budget, 1000);
      packets += 2;
      expect(budget.isExceeded(none)).toBe(true);
      settle();
      expect(budget.isExceeded(none)).toBe(false);
    }
    receive(budget, 60);
    packets += 60;
    settle();
    expect(budget.isExceeded(none)).toBe(true);
  });

  test("streams that were given up are taken into account, up to what was delivered in others", () => {
    const budget = create();
    let rounds = 0;
    while (rounds < 100 && !budget.isExceeded(none)) {
      receive(budget, 700);
      budget.dropped(1_000_000);
      rounds += 1;
    }
    expect(rounds).toBe(5);
    for (let count = 0; count < 100; count += 1) {
      receive(budget, 800);
      budget.delivered(800 * 1300);
      receive(budget, 700);
      budget.dropped(1_000_000);
      expect(budget.isExceeded(none)).toBe(false);
    }
  });

  test("what is under way when streams are cancelled is taken into account, and not twice", () => {
    const budget = create();
    for (let count = 0; count < 4; count += 1) budget.dropped(1_000_000, true);
    receive(budget, 3000);
    expect(budget.isExceeded(none)).toBe(false);
    for (let count = 0; count < 4; count += 1) budget.dropped(1_000_000, true);
    receive(budget, 1000);
    expect(budget.isExceeded(none)).toBe(true);
  });

  test("a stream for each short message", () => {
    const budget = create();
    let exceeded = 0;
    for (let count = 0; count < 100_000; count += 1) {
      budget.received(70);
      budget.opened();
      budget.delivered(1);
      if (budget.isExceeded(none)) exceeded += 1;
    }
    expect(exceeded).toBe(0);
  });
});

describe("abort rate", () => {
  test("more than 500 aborted streams in a second are too many, if they are more than half", () => {
    const rate = new AbortRate();
    for (let count = 0; count < 500; count += 1) expect(rate.ended(true, count)).toBe(false);
    expect(rate.ended(true, 600)).toBe(true);
    expect(rate.ended(true, 1000)).toBe(false);
    const mixed = new AbortRate();
    const found = Array.from({ length: 10_000 }, (_, count) => mixed.ended(count < 5000 && count % 2 === 1, 0));
    expect(found).not.toContain(true);
  });
});

describe("false acknowledgements", () => {
  const mebibyte = 1024 * 1024;
  const usual = { sentBytes: 0, cwnd: 100_000, lost: 3, rtt: 10 };
  const large = { ...usual, cwnd: 65 * mebibyte };

  /** With a peer that had such a large window that a packet was kept from it at time 0. */
  function suspicious(rtt = 10): FalseAcknowledgements {
    const check = new FalseAcknowledgements(() => 0.1);
    expect(check.isToWithhold()).toBe(false);
    expect(check.check({ ...large, rtt }, 0)).toBe(false);
    const withheld = Array.from({ length: 20 }, () => check.isToWithhold());
    expect(withheld.indexOf(true)).toBe(6);
    expect(withheld.lastIndexOf(true)).toBe(6);
    check.withheld({ ...large, rtt }, 0);
    return check;
  }

  test("a peer that does not miss what was never sent is found out", () => {
    const check = suspicious();
    expect(check.check(large, 999)).toBe(false);
    expect(check.check(large, 1000)).toBe(true);
  });

  test("a peer that misses it is asked again only when it is still suspicious", () => {
    const check = suspicious();
    expect(check.check({ ...large, lost: 4 }, 5000)).toBe(false);
    expect(check.check({ ...usual, lost: 4 }, 6000)).toBe(false);
    expect(check.isToWithhold()).toBe(false);
    expect(check.check({ ...large, lost: 4 }, 7000)).toBe(false);
    expect(Array.from({ length: 20 }, () => check.isToWithhold())).toContain(true);
  });

  test("a long path is given ten round trips", () => {
    const check = suspicious(600);
    expect(check.check(large, 5999)).toBe(false);
    expect(check.check(large, 6000)).toBe(true);
  });

  test.each([
    { seconds: 1, isAsked: true },
    { seconds: 3, isAsked: false },
  ])("128 MiB every $seconds s: asked is $isAsked", ({ seconds, isAsked }) => {
    const check = new FalseAcknowledgements(() => 0);
    for (let count = 0; count <= 2; count += 1) {
      check.check({ ...usual, sentBytes: count * 128 * mebibyte }, count * seconds * 1000);
    }
    expect(check.isToWithhold()).toBe(isAsked);
  });
});

describe("keep-alive", () => {
  test("asks when nothing was heard for the interval, whatever others send", () => {
    const keepAlive = new KeepAlive(1000, () => 0.5);
    expect(keepAlive.dueMs).toBe(Infinity);
    keepAlive.start(0);
    expect(keepAlive.dueMs).toBe(1000);
    keepAlive.heard(700);
    expect(keepAlive.isToAsk(5, 1000)).toBe(false);
    expect(keepAlive.dueMs).toBe(1700);
    // Junk: the engine has taken no packet since.
    for (let nowMs = 1000; nowMs < 1700; nowMs += 10) keepAlive.heard(nowMs);
    expect(keepAlive.isToAsk(5, 1700)).toBe(true);
    expect(keepAlive.dueMs).toBe(1900);
  });

  test("asks again soon, until it is answered", () => {
    const keepAlive = new KeepAlive(1000, () => 0.5);
    keepAlive.start(0);
    expect(keepAlive.isToAsk(0, 1000)).toBe(true);
    expect(keepAlive.dueMs).toBe(1200);
    expect(keepAlive.isToAsk(0, 1200)).toBe(true);
    expect(keepAlive.dueMs).toBe(1400);
    keepAlive.heard(1250);
    expect(keepAlive.isToAsk(1, 1400)).toBe(false);
    expect(keepAlive.dueMs).toBe(2250);
  });

  test("another interval takes its place", () => {
    const keepAlive = new KeepAlive(1000, () => 0.5);
    keepAlive.start(0);
    keepAlive.start(100, 500);
    expect(keepAlive.dueMs).toBe(600);
  });
});

describe("incoming streams", () => {
  const limits = { maxIncomingStreams: 10, maxUnreadBytes: 0, maxStreamsInAll: 1000, maxBytesSent: 0 };

  test("count once for each direction, and again when they have ended", () => {
    const streams = new IncomingStreams(limits);
    for (let count = 0; count < 5; count += 1) expect(streams.opened(true)).toBeUndefined();
    expect(streams.opened(false)).toMatchObject({ violation: "streams" });
    streams.sendEnded();
    expect(streams.opened(false)).toBeUndefined();
    expect(streams.opened(false)).toMatchObject({ violation: "streams" });
    expect(streams.receiveEnded("complete", 0)).toBeUndefined();
    expect(streams.opened(false)).toBeUndefined();
  });

  test("256 in a turn", () => {
    const streams = new IncomingStreams({ ...limits, maxIncomingStreams: 1000 });
    for (let turn = 0; turn < 3; turn += 1) {
      streams.startTurn();
      for (let count = 0; count < 256; count += 1) {
        expect(streams.isTurnOver).toBe(false);
        streams.opened(false);
      }
      expect(streams.isTurnOver).toBe(true);
    }
  });

  test("the engine leaks the credit of those that do not end in order: half of it is enough", () => {
    const streams = new IncomingStreams({ ...limits, maxStreamsInAll: 1e6 });
    let ended = 0;
    for (let problem; problem === undefined; ended += 1) {
      streams.opened(false);
      problem = streams.receiveEnded(ended % 2 === 0 ? "complete" : "cancelled", ended);
    }
    expect(ended).toBe(2 * 8192);
  });
});

describe("a connection", () => {
  const authority = createAuthority();
  const server = authority.issue();
  const cleanups: (() => unknown)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  async function connectedPair(
    limits: QuicListenOptions["limits"],
  ): Promise<{ listener: QuicListener; client: Connection; far: Connection }> {
    const listener = await listen({ host: "127.0.0.1", ...server, maxDatagramBytes: 1200, limits });
    cleanups.push(() => listener.close());
    const client = await quic({ ca: authority.ca }).connect(`https://127.0.0.1:${listener.address.port}`);
    cleanups.push(() => client.close());
    const { value: far } = await listener.incomingConnections.getReader().read();
    return { listener, client, far: far! };
  }

  /** Sends one byte on each of so many streams, 100 of them at a time. */
  async function sendOnStreams(from: Connection, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          const writer = (await from.createUnidirectionalStream()).getWriter();
          await Promise.all([writer.write(Buffer.from("x")), writer.close()]);
        }),
      );
    }
  }

  /** Reads all streams. */
  async function readStreams(to: Connection): Promise<void> {
    for await (const readable of to.incomingUnidirectionalStreams) await readable.pipeTo(new WritableStream());
  }

  test("is closed when it has had all its streams", async () => {
    const { listener, client, far } = await connectedPair({ maxStreamsInAll: 100 });
    const reading = readStreams(far).catch(() => {});
    await sendOnStreams(client, 200).catch(() => {});
    await expect(far.closed).rejects.toMatchObject({ code: "limit-exceeded", remote: false });
    await expect(client.closed).rejects.toMatchObject({ code: "connection-lost", remote: true });
    await reading;
    expect((await listener.getStats()).violations).toMatchObject({ use: 1, streams: 0 });
  });

  test("is closed when its keys have been used enough", async () => {
    const { listener, client, far } = await connectedPair({ maxBytesSent: 1_000_000 });
    const incoming = client.incomingUnidirectionalStreams.getReader();
    const writer = (await far.createUnidirectionalStream()).getWriter();
    writer.closed.catch(() => {});
    const writing = (async () => {
      for (;;) await writer.write(new Uint8Array(65_536));
    })().catch(() => {});
    const { value } = await incoming.read();
    await expect(value!.pipeTo(new WritableStream())).rejects.toMatchObject({ code: "protocol-error" });
    await expect(far.closed).rejects.toMatchObject({ code: "limit-exceeded", remote: false });
    await writing;
    expect((await listener.getStats()).violations).toMatchObject({ use: 1 });
  });

  test("is closed when the other end opens streams only to abort them", async () => {
    const { listener, client, far } = await connectedPair({});
    const reading = (async () => {
      for await (const readable of far.incomingUnidirectionalStreams)
        await readable.pipeTo(new WritableStream()).catch(() => {});
    })().catch(() => {});
    const aborting = (async () => {
      for (;;) {
        const writer = (await client.createUnidirectionalStream()).getWriter();
        writer.closed.catch(() => {});
        await writer.write(new Uint8Array(5000));
        await writer.abort();
      }
    })().catch(() => {});
    await expect(far.closed).rejects.toMatchObject({ code: "limit-exceeded", remote: true });
    // On a machine that aborts less than 500 a second, it is too many that did not end in order.
    await vi.waitFor(async () => {
      const { resets, streams } = (await listener.getStats()).violations;
      expect({ resets, streams }).toEqual(resets > 0 ? { resets: 1, streams: 0 } : { resets: 0, streams: 1 });
    });
    await Promise.all([reading, aborting]);
  });
});
