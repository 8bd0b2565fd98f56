import { randomBytes, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";

import { addressBytes, isLoopback, unmapped } from "../../src/transports/quic/address-bytes.ts";
import { Admission, defaultAdmissionLimits } from "../../src/transports/quic/admission.ts";
import { createSelfSignedCertificate } from "../../src/transports/quic/index.ts";
import { parseLongHeader } from "../../src/transports/quic/long-header.ts";
import { createRetryToken, openRetryToken } from "../../src/transports/quic/retry-token.ts";
import {
  createStatelessReset,
  statelessResetToken,
  tokenAsInteger,
} from "../../src/transports/quic/stateless-reset.ts";

describe("admission", () => {
  /** Asks to be let in, once, and says so if it is. */
  function begin(admission: Admission<number>, source: string, proven: boolean, nowMs = 0, attempt = Math.random()) {
    const decision = admission.decide(source, proven, nowMs);
    return { decision, evicted: decision === "accept" ? admission.begin(source, attempt) : undefined };
  }

  test("lets in, asks for proof above 64 half-open, and keeps 512", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    const decisions = { accept: 0, retry: 0, drop: 0 };
    for (let count = 0; count < 100; count += 1) decisions[begin(admission, `source ${count}`, false).decision] += 1;
    expect(decisions).toEqual({ accept: 64, retry: 36, drop: 0 });
    for (let count = 0; count < 500; count += 1) decisions[begin(admission, "one source", true).decision] += 1;
    expect(decisions).toEqual({ accept: 564, retry: 36, drop: 0 });
    expect(admission.halfOpen).toBe(512);
  });

  test("asks a source for proof when it is in a hurry, and nobody else", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    const of = (source: string, nowMs: number) => admission.decide(source, false, nowMs);
    for (let count = 0; count < 64; count += 1) expect(of("a", 0)).toBe("accept");
    expect(of("a", 0)).toBe("retry");
    expect(of("b", 0)).toBe("accept");
    expect(admission.decide("a", true, 0)).toBe("accept");
    expect(of("a", 100)).toBe("accept");
    expect(of("a", 100)).toBe("retry");
  });

  test("a source that asks and asks is not answered any more, and others are", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    const decisions = { accept: 0, retry: 0, drop: 0 };
    for (let count = 0; count < 10_000; count += 1) decisions[admission.decide("flood", false, 0)] += 1;
    expect(decisions).toEqual({ accept: 64, retry: 2048, drop: 7888 });
    for (let count = 0; count < 64; count += 1) expect(admission.decide("other", false, 0)).toBe("accept");
    expect(admission.decide("other", false, 0)).toBe("retry");
    expect(admission.decide("flood", false, 200)).toBe("accept");
    for (let count = 0; count < 10_000; count += 1) decisions[admission.decide("flood", false, 1200)] += 1;
    expect(decisions.retry).toBe(2048 + 1200);
  });

  test("forged sources, however many, are not answered without end", () => {
    const admission = new Admission<number>({ ...defaultAdmissionLimits, retryAboveHalfOpen: 0 }, 0);
    const decisions = { accept: 0, retry: 0, drop: 0 };
    for (let count = 0; count < 20_000; count += 1) decisions[admission.decide(`source ${count}`, false, 0)] += 1;
    expect(decisions).toEqual({ accept: 0, retry: 10_240, drop: 9760 });
  });

  test("1000 clients of one host get in within a second, and then 200 a second", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    let accepted = 0;
    for (let count = 0; count < 3000; count += 1) {
      if (admission.decide("one host", true, 0) === "accept") accepted += 1;
    }
    expect(accepted).toBe(1024);
    for (let count = 0; count < 3000; count += 1) {
      if (admission.decide("one host", true, 1000) === "accept") accepted += 1;
    }
    expect(accepted).toBe(1224);
  });

  test("one host that uses up what is for all does not keep others out", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    for (let count = 0; count < 3000; count += 1) admission.decide("one host", true, 0);
    expect(admission.decide("one host", true, 0)).toBe("drop");
    for (let count = 0; count < 256; count += 1) expect(admission.decide(`host ${count}`, true, 0)).toBe("accept");
    expect(admission.decide("one more", true, 0)).toBe("drop");
  });

  test("packets with a forged source use up nothing of its owner's", () => {
    const admission = new Admission<number>(defaultAdmissionLimits, 0);
    for (let count = 0; count < 3000; count += 1) admission.decide("victim", false, 0);
    for (let count = 0; count < 3000; count += 1) admission.decide("one host", true, 0);
    expect(admission.decide("victim", true, 0)).toBe("accept");
  });

  test("the oldest handshake of the source that has the most makes room", () => {
    const admission = new Admission<number>({ ...defaultAdmissionLimits, maxHalfOpen: 10 }, 0);
    const evicted: (number | undefined)[] = [];
    for (let count = 0; count < 4; count += 1) evicted.push(begin(admission, "calm", true, 0, count).evicted);
    for (let count = 100; count < 120; count += 1) evicted.push(begin(admission, "flood", true, 0, count).evicted);
    evicted.push(begin(admission, "late", true, 0, 200).evicted);
    expect(evicted.filter((each) => each !== undefined)).toEqual(Array.from({ length: 15 }, (_, index) => 100 + index));
    expect(admission.halfOpen).toBe(10);
    admission.end("flood", 100);
    expect(admission.halfOpen).toBe(10);
    admission.end("flood", 119);
    admission.end("flood", 119);
    admission.end("nobody", 1);
    expect(admission.halfOpen).toBe(9);
  });

  test("when all have sent too much, the one that has sent most makes room, of the source that has", () => {
    const admission = new Admission<number>({ ...defaultAdmissionLimits, maxHandshakeBytesInAll: 10_000 }, 0);
    for (const [source, attempt] of [
      ["a", 1],
      ["a", 2],
      ["b", 3],
      ["b", 4],
      ["c", 5],
    ] as const) {
      expect(begin(admission, source, true, 0, attempt).evicted).toBeUndefined();
      expect(admission.received(source, attempt, 1000 + attempt)).toBeUndefined();
    }
    expect(admission.received("c", 5, 1000)).toBeUndefined();
    expect(admission.received("a", 1, 5000)).toBe(1);
    expect(admission.received("a", 1, 100_000)).toBeUndefined();
    expect(admission.received("b", 4, 5000)).toBe(4);
    expect(admission.halfOpen).toBe(3);
    admission.end("c", 5);
    // What those had sent who are no longer there does not count.
    expect(admission.received("a", 2, 7000)).toBeUndefined();
    expect(admission.received("a", 2, 1000)).toBe(2);
  });

  test("no handshakes at all, if that is wanted", () => {
    const admission = new Admission<number>({ ...defaultAdmissionLimits, maxHalfOpen: 0 }, 0);
    expect(admission.decide("a", true, 0)).toBe("drop");
  });

  test("remembers a bounded number of sources", () => {
    const limits = { ...defaultAdmissionLimits, handshakeBurst: 1e6, handshakeBurstPerSource: 1 };
    const admission = new Admission<number>(limits, 0);
    expect(admission.decide("first", false, 0)).toBe("accept");
    expect(admission.decide("first", false, 0)).toBe("retry");
    for (let count = 0; count < 5000; count += 1) admission.decide(`source ${count}`, false, 0);
    expect(admission.decide("first", false, 0)).toBe("accept");
  });
});

describe("Retry tokens", () => {
  const key = randomBytes(32);
  const claim = { address: "192.0.2.1 4433", originalId: randomBytes(16), newId: randomBytes(16) };
  const nowMs = 1_700_000_000_000;
  const token = createRetryToken(key, claim, nowMs);

  test("give back the original id", () => {
    expect(openRetryToken(key, token, claim, nowMs)).toEqual(claim.originalId);
    expect(openRetryToken(key, token, claim, nowMs + 10_000)).toEqual(claim.originalId);
  });

  test.each([
    { problem: "too old", nowMs: nowMs + 10_001 },
    { problem: "from the future", nowMs: nowMs - 1000 },
    { problem: "of another address", address: "192.0.2.1 4434" },
    { problem: "for another id", newId: randomBytes(16) },
    { problem: "of another listener", key: randomBytes(32) },
    { problem: "cut", token: token.subarray(0, -1) },
    { problem: "empty", token: Buffer.of() },
    { problem: "forged", token: randomBytes(38) },
    { problem: "changed", token: Buffer.from(token.map((byte, index) => (index === 30 ? byte ^ 1 : byte))) },
  ])("are refused when $problem", (changes) => {
    const all = { key, token, ...claim, nowMs, ...changes };
    expect(openRetryToken(all.key, all.token, all, all.nowMs)).toBeUndefined();
  });
});

describe("stateless reset", () => {
  const key = randomBytes(32);

  test("the token belongs to the connection id and the key", () => {
    const id = randomBytes(16);
    expect(statelessResetToken(key, id)).toEqual(statelessResetToken(key, id));
    expect(statelessResetToken(key, id)).not.toEqual(statelessResetToken(key, randomBytes(16)));
    expect(statelessResetToken(key, id)).not.toEqual(statelessResetToken(randomBytes(32), id));
    expect(tokenAsInteger(Buffer.from("00ff", "hex"))).toBe(255n);
  });

  test("is shorter than what it answers, and looks like a packet", () => {
    const token = randomBytes(16);
    for (const length of [22, 30, 43, 44, 1200]) {
      const reset = createStatelessReset(token, length);
      expect(reset.length).toBe(Math.min(length - 1, 43));
      expect((reset[0] as number) & 0xc0).toBe(0x40);
      expect(reset.subarray(-16)).toEqual(token);
    }
  });
});

describe("long headers", () => {
  const packet = Buffer.concat([
    Buffer.of(0xc3, 0, 0, 0, 1, 8),
    Buffer.alloc(8, 0xd),
    Buffer.of(2),
    Buffer.alloc(2, 0x5),
    Buffer.alloc(100),
  ]);

  test("give version and ids", () => {
    expect(parseLongHeader(packet)).toEqual({
      version: 1,
      destinationId: Buffer.alloc(8, 0xd),
      sourceId: Buffer.alloc(2, 0x5),
      isInitial: true,
    });
  });

  test("that are cut or too long are none", () => {
    for (let length = 0; length < 17; length += 1) expect(parseLongHeader(packet.subarray(0, length))).toBeUndefined();
    expect(parseLongHeader(packet.subarray(0, 17))).toBeDefined();
    for (const [at, value] of [
      [5, 21],
      [14, 21],
      [5, 255],
    ] as const) {
      const other = Buffer.from(packet);
      other[at] = value;
      expect(parseLongHeader(other)).toBeUndefined();
    }
  });
});

describe("addresses", () => {
  test.each([
    ["192.0.2.255", [192, 0, 2, 255]],
    ["::", Array.from({ length: 16 }, () => 0)],
    ["2001:db8::1", [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["fe80::1%eth0", [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["::ffff:192.0.2.1", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ])("the bytes of %s", (address, bytes) => {
    expect([...addressBytes(address)]).toEqual(bytes);
  });

  test("loopback is known in every form", () => {
    for (const address of ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]) {
      expect(isLoopback(address)).toBe(true);
    }
    for (const address of ["128.0.0.1", "::", "::2", "::ffff:10.0.0.1", "10.127.0.1"]) {
      expect(isLoopback(address)).toBe(false);
    }
    expect(unmapped("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(unmapped("::1")).toBe("::1");
  });
});

describe("self-signed certificates", () => {
  test("are ECDSA P-256, for the hosts given, and valid for 14 days", () => {
    const { cert, hash } = createSelfSignedCertificate({ hosts: ["coordinator.test", "192.0.2.1", "2001:db8::1"] });
    const parsed = new X509Certificate(cert);
    expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(parsed.checkHost("coordinator.test", { subject: "never" })).toBe("coordinator.test");
    expect(parsed.checkHost("other.test")).toBeUndefined();
    expect(parsed.checkIP("192.0.2.1")).toBe("192.0.2.1");
    expect(parsed.checkIP("2001:db8::1")).toBe("2001:db8::1");
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(Buffer.from(hash).toString("hex"));
    const days = (Date.parse(parsed.validTo) - Date.parse(parsed.validFrom)) / 86_400_000;
    expect(days).toBe(14);
    expect(Date.parse(parsed.validFrom)).toBeLessThan(Date.now());
  });

  test("last as long as asked, also into the second half of the century", () => {
    const parsed = new X509Certificate(createSelfSignedCertificate({ days: 36_000 }).cert);
    expect(new Date(parsed.validTo).getUTCFullYear()).toBeGreaterThan(2100);
    for (const days of [0, -1, Number.NaN, 1e9]) {
      expect(() => createSelfSignedCertificate({ days })).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    }
  });
});
