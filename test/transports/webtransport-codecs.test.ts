/** The pure parts of WebTransport over HTTP/3. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Http3Error } from "../../src/transports/quic/http3/error-codes.ts";
import { TlvParser } from "../../src/transports/quic/http3/tlv-parser.ts";
import {
  capsuleHandling,
  capsuleTypes,
  decodeClose,
  encodeClose,
} from "../../src/transports/quic/webtransport/capsules.ts";
import { EarlyStreams, maxEarlyStreams } from "../../src/transports/quic/webtransport/early-streams.ts";
import {
  fromHttp3Code,
  toHttp3Code,
  webTransportStreamErrorCodes,
} from "../../src/transports/quic/webtransport/error-codes.ts";

describe("error codes", () => {
  test.each([
    [0, 0x52e4a40fa8db],
    [0x1d, 0x52e4a40fa8f8],
    [0x1e, 0x52e4a40fa8fa],
    [255, 0x52e4a40fa9e2],
    [0xffff_ffff, 0x52e5ac983162],
  ])("%i is %i", (code, wireCode) => {
    expect(toHttp3Code(code)).toBe(wireCode);
    expect(fromHttp3Code(wireCode)).toBe(code);
  });

  test("round trip, never a code of grease", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (code) => {
        const wireCode = toHttp3Code(code);
        expect((wireCode - 0x21) % 0x1f).not.toBe(0);
        expect(fromHttp3Code(wireCode)).toBe(code);
      }),
    );
  });

  test("what is no code of an application", () => {
    const others = [0, 0x10c, 0x52e4a40fa8da, 0x52e4a40fa8f9, 0x52e5ac983163, 2 ** 62];
    for (const wireCode of others) {
      expect(fromHttp3Code(wireCode)).toBeUndefined();
      expect(webTransportStreamErrorCodes.decode(wireCode)).toBe(0);
    }
  });

  test("reasons of streams", () => {
    const encode = (reason: unknown) => webTransportStreamErrorCodes.encode(reason);
    expect(encode({ streamErrorCode: 7 })).toBe(toHttp3Code(7));
    expect(encode("text")).toBe(toHttp3Code(0));
    expect(encode(new Http3Error(0x10b, "rejected"))).toBe(0x10b);
  });
});

describe("capsules", () => {
  test("a close, byte for byte", () => {
    const capsule = encodeClose({ closeCode: 4_000_000_000, reason: "ok ☾" });
    expect(Buffer.from(capsule).toString("hex")).toBe("68430aee6b28006f6b20e298be");
  });

  test("round trip, among unknown ones and however they are cut", () => {
    const info = fc.record({
      closeCode: fc.integer({ min: 0, max: 0xffff_ffff }),
      reason: fc.string({ unit: "binary", maxLength: 200 }),
    });
    fc.assert(
      fc.property(info, fc.integer({ min: 1, max: 30 }), (given, cut) => {
        const bytes = Uint8Array.from([0x80, 0, 0x78, 0xae, 0, 0x40, 0x99, 3, 1, 2, 3, ...encodeClose(given)]);
        const parser = new TlvParser(capsuleHandling);
        const closes = [];
        for (let at = 0; at < bytes.length; at += cut) {
          for (const event of parser.push(bytes.subarray(at, at + cut))) closes.push(event);
        }
        expect(closes.map(({ type }) => type)).toEqual([capsuleTypes.closeSession]);
        expect(decodeClose(closes[0]!.payload)).toEqual(given);
      }),
    );
  });

  test("lengths that cannot be", () => {
    for (const length of [0, 3, 1029, Infinity]) expect(() => capsuleHandling(0x2843, length)).toThrow(Http3Error);
    for (const length of [4, 1028]) expect(capsuleHandling(0x2843, length)).toBe("whole");
    expect(() => capsuleHandling(0x78ae, 1)).toThrow(Http3Error);
    expect(capsuleHandling(0x78ae, 0)).toBe("skip");
    expect(capsuleHandling(0x1234, 2 ** 50)).toBe("skip");
  });

  test("a reason that is no UTF-8", () => {
    expect(decodeClose(Uint8Array.of(0, 0, 0, 1, 0xff, 0x41))).toEqual({ closeCode: 1, reason: "\ufffdA" });
  });
});

test("early streams are kept up to a bound, and sorted out by session", () => {
  const early = new EarlyStreams();
  const streams = Array.from({ length: maxEarlyStreams }, () => ({ readable: new ReadableStream(), send: undefined }));
  streams.forEach((stream, index) => expect(early.keep(index % 2 === 0 ? 0 : 4, stream)).toBe(true));
  expect(early.keep(0, streams[0]!)).toBe(false);
  const { own, others } = early.takeAll(4);
  expect(own).toEqual(streams.filter((_, index) => index % 2 === 1));
  expect(others).toHaveLength(maxEarlyStreams / 2);
  expect(early.takeAll(0)).toEqual({ own: [], others: [] });
});
