import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Engine } from "../../src/transports/quic/binding.ts";
import { ConnectionTable, retired } from "../../src/transports/quic/connection-table.ts";
import { PeerAddress } from "../../src/transports/quic/peer-address.ts";
import { SourceIds } from "../../src/transports/quic/source-ids.ts";
import type { UdpAddress } from "../../src/transports/quic/udp/udp-endpoint.ts";

const home = { host: "192.0.2.1", port: 1000 };
const other = { host: "192.0.2.1", port: 2000 };
const third = { host: "198.51.100.7", port: 1000 };

function heard(address: PeerAddress, from: UdpAddress, nowMs: number, isNew = true): "examine" | "refused" | undefined {
  return address.heard(from, { bytes: 100, isNew, nowMs, rttMs: 10 });
}

describe("the address of a peer", () => {
  test("another one is examined with three bytes for one, and used once it is confirmed", () => {
    const address = new PeerAddress(home);
    expect(address.isUsual(home.host, home.port)).toBe(true);
    expect(address.isUsual(other.host, other.port)).toBe(false);
    expect(heard(address, other, 0)).toBe("examine");
    expect([address.current, address.target, address.bytesLeft]).toEqual([home, other, 300]);
    address.sent(250);
    heard(address, other, 1, false);
    expect(address.bytesLeft).toBe(350);
    address.confirm(20);
    expect([address.current, address.target, address.bytesLeft]).toEqual([other, other, Infinity]);
  });

  test("nothing but a new datagram of the peer leads to an examination", () => {
    const address = new PeerAddress(home);
    expect(heard(address, other, 0, false)).toBeUndefined();
    expect(heard(address, home, 0)).toBeUndefined();
    address.confirm(0);
    expect([address.current, address.isExamining]).toEqual([home, false]);
  });

  test("an address that is heard from keeps its packets, and is disturbed ever more rarely", () => {
    const address = new PeerAddress(home);
    const begun: number[] = [];
    for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
      if (heard(address, other, nowMs) === "examine") begun.push(nowMs);
      const wasExamining = address.isExamining;
      expect(heard(address, home, nowMs + 1, false)).toBe(wasExamining ? "refused" : undefined);
    }
    expect(begun.slice(0, 5)).toEqual([0, 60, 170, 380, 790]);
    expect(begun.length).toBeLessThan(25);
    expect(address.current).toEqual(home);
  });

  test("an examination that leads to nothing ends after a second, or eight round trips", () => {
    for (const [rttMs, deadlineMs] of [
      [10, 1000],
      [500, 4000],
    ] as const) {
      const address = new PeerAddress(home);
      address.heard(other, { bytes: 100, isNew: true, nowMs: 0, rttMs });
      expect(address.deadlineMs).toBe(deadlineMs);
      expect(address.onTime(deadlineMs - 1)).toBeUndefined();
      expect(address.onTime(deadlineMs)).toBe("refused");
      expect([address.target, address.deadlineMs]).toEqual([home, Infinity]);
    }
  });

  test("an address that was left is gone back to when it is alive, and the other one cannot prevent it", () => {
    const address = new PeerAddress(home);
    heard(address, other, 0);
    address.confirm(10);
    expect(heard(address, home, 900)).toBeUndefined();
    expect(heard(address, home, 1100, false)).toBe("examine");
    expect(heard(address, other, 1101)).toBeUndefined();
    address.confirm(1110);
    expect(address.current).toEqual(home);
    // The other one has no such right.
    expect(heard(address, other, 5000, false)).toBeUndefined();
    expect(heard(address, other, 5000)).toBe("examine");
    expect(heard(address, home, 5001, false)).toBe("refused");
  });

  test("an address that was left and does not answer is an address like others", () => {
    const address = new PeerAddress(home);
    heard(address, other, 0);
    address.confirm(10);
    expect(heard(address, home, 2000, false)).toBe("examine");
    expect(address.onTime(3000)).toBe("refused");
    expect(heard(address, home, 10_000, false)).toBeUndefined();
  });

  test("whatever comes in, an address that is not confirmed hears three times what it sent at most", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const address = new PeerAddress(home);
        const confirmed = new Set([spelled(home)]);
        let examined: { key: string; heard: number; sent: number } | undefined;
        let nowMs = 0;
        for (const { kind, from, bytes, isNew, afterMs } of events) {
          nowMs += afterMs;
          if (address.onTime(nowMs) === "refused") examined = undefined;
          if (kind === "datagram") {
            const outcome = address.heard(from, { bytes, isNew, nowMs, rttMs: 10 });
            if (outcome === "examine") examined = { key: spelled(from), heard: 0, sent: 0 };
            if (outcome === "refused") examined = undefined;
            if (examined?.key === spelled(from)) examined.heard += bytes;
          } else if (kind === "confirm") {
            if (examined !== undefined) confirmed.add(examined.key);
            examined = undefined;
            address.confirm(nowMs);
          } else if (bytes <= address.bytesLeft) {
            address.sent(bytes);
            if (examined !== undefined) examined.sent += bytes;
          }
          expect(address.isExamining).toBe(examined !== undefined);
          expect(confirmed).toContain(spelled(address.current));
          if (examined === undefined) expect(address.target).toBe(address.current);
          else {
            expect(spelled(address.target)).toBe(examined.key);
            expect(examined.sent).toBeLessThanOrEqual(3 * examined.heard);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("whoever else sends, packets go to an address that is heard from every 5 ms nearly always", () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 50, maxLength: 300 }), (events) => {
        const address = new PeerAddress(home);
        let nowMs = 0;
        for (const { from, isNew } of events) {
          nowMs += 5;
          heard(address, from, nowMs, isNew);
          heard(address, home, nowMs + 1, false);
          expect(address.target).toEqual(home);
        }
      }),
    );
  });
});

const event = fc.record({
  kind: fc.constantFrom("datagram", "datagram", "datagram", "sent", "sent", "confirm"),
  from: fc.constantFrom(home, other, third),
  bytes: fc.integer({ min: 21, max: 1500 }),
  isNew: fc.boolean(),
  afterMs: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 3000 })),
});

function spelled({ host, port }: UdpAddress): string {
  return `${host} ${port}`;
}

describe("source ids", () => {
  /** An engine and the peer of it, as far as ids are concerned (RFC 9000, section 5.1). */
  function peer(limit = 2) {
    const known: { id: string; isRetired: boolean }[] = [{ id: "first", isRetired: false }];
    const confirmed: Uint8Array[] = [];
    const engine = {
      stats: () => ({ peerActiveConnIdLimit: limit }),
      sourceIds: () => known.length,
      issueSourceId: (id: Uint8Array) => {
        if (known.length >= limit) known.find(({ isRetired }) => !isRetired)!.isRetired = true;
        known.push({ id: Buffer.from(id).toString("latin1"), isRetired: false });
      },
      nextRetiredSourceId: () => confirmed.shift() ?? null,
    } as unknown as Engine;
    const table = new ConnectionTable<string>();
    const keys = table.enter("the connection");
    const ids = new SourceIds({
      engine,
      resetTokenOf: () => 0n,
      onIssued: (id) => keys.add(id.toString("latin1")),
      onRetired: (id) => keys.retire(id.toString("latin1")),
    });
    return {
      ids,
      table,
      /** The peer does as it was asked and sends a datagram. */
      answer: (): Buffer => {
        for (const { id } of known.filter(({ isRetired }) => isRetired)) confirmed.push(Buffer.from(id, "latin1"));
        known.splice(0, known.length, ...known.filter(({ isRetired }) => !isRetired));
        const datagram = Buffer.from(`@${known[0]!.id}…`, "latin1");
        return datagram;
      },
    };
  }

  test.each([2, 3, 8])("a peer that keeps %i ids has to use a new one after two answers at most", (limit) => {
    const { ids, table, answer } = peer(limit);
    for (let round = 0; round < 5; round += 1) {
      const nowMs = 1000 * round + 50;
      ids.challenge(1000 * round, 10);
      ids.process(nowMs);
      let datagram = answer();
      for (let count = 1; count < limit && !ids.isAnswer(datagram); count += 1) {
        ids.process(nowMs);
        datagram = answer();
      }
      expect(ids.isAnswer(datagram)).toBe(true);
      expect(table.find(datagram.toString("latin1", 1, 17))).toBe("the connection");
      ids.end();
      ids.process(nowMs);
      expect(ids.isAnswer(datagram)).toBe(false);
    }
  });

  test("an id that was told in a challenge that is over proves nothing", () => {
    const { ids, answer } = peer();
    ids.challenge(0, 10);
    ids.process(50);
    const datagram = answer();
    expect(ids.isAnswer(datagram)).toBe(true);
    ids.end();
    expect(ids.isAnswer(datagram)).toBe(false);
    ids.challenge(1000, 10);
    expect(ids.isAnswer(datagram)).toBe(false);
  });

  test.each([
    { rttMs: 10, hearingMs: 50, settlingMs: 500 },
    { rttMs: 200, hearingMs: 200, settlingMs: 800 },
  ])("wait for the other address, and for the ids before: a round trip of $rttMs ms", (times) => {
    const { rttMs, hearingMs, settlingMs } = times;
    const { ids, answer } = peer();
    ids.challenge(0, rttMs);
    expect(ids.dueMs).toBe(hearingMs);
    ids.process(hearingMs - 1);
    expect(ids.isAnswer(answer())).toBe(false);
    ids.process(hearingMs);
    expect(ids.dueMs).toBe(Infinity);
    expect(ids.isAnswer(answer())).toBe(true);
    ids.end();
    ids.challenge(hearingMs + 100, rttMs);
    expect(ids.dueMs).toBe(hearingMs + settlingMs);
    ids.process(hearingMs + settlingMs - 1);
    expect(ids.isAnswer(answer())).toBe(false);
    ids.process(hearingMs + settlingMs);
    answer();
    ids.process(hearingMs + settlingMs);
    expect(ids.isAnswer(answer())).toBe(true);
  });

  test("of a challenge that is over at once never leave", () => {
    const { ids, answer } = peer();
    for (let round = 0; round < 10; round += 1) {
      ids.challenge(100 * round, 10);
      ids.end();
      expect(ids.dueMs).toBe(Infinity);
      ids.process(100 * round + 99);
    }
    ids.challenge(1000, 10);
    ids.process(1050);
    expect(ids.isAnswer(answer())).toBe(true);
  });

  test("a peer that confirms nothing gets no more ids", () => {
    const { ids, answer } = peer();
    for (let round = 0; round < 10; round += 1) {
      ids.challenge(1000 * round, 10);
      ids.process(1000 * round + 50);
    }
    expect(ids.isAnswer(answer())).toBe(false);
  });

  test("a peer that wants to keep very many is not challenged", () => {
    const { ids, table, answer } = peer(1000);
    ids.challenge(0, 10);
    expect(table.find(answer().toString("latin1", 1, 17))).toBeUndefined();
  });
});

describe("connection table", () => {
  test("remembers retired ids, a few of them, until the connection is gone", () => {
    const table = new ConnectionTable<number>();
    const keys = table.enter(1);
    for (let id = 0; id < 40; id += 1) keys.add(`id ${id}`);
    for (let id = 0; id < 30; id += 1) keys.retire(`id ${id}`);
    keys.retire("unknown");
    const found = Array.from({ length: 40 }, (_, id) => table.find(`id ${id}`));
    expect(found.slice(0, 14)).toEqual(Array.from({ length: 14 }, () => undefined));
    expect(found.slice(14, 30)).toEqual(Array.from({ length: 16 }, () => retired));
    expect(found.slice(30)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(table.find("unknown")).toBeUndefined();
    keys.clear();
    expect(Array.from({ length: 40 }, (_, id) => table.find(`id ${id}`)).filter((each) => each !== undefined)).toEqual(
      [],
    );
  });
});
