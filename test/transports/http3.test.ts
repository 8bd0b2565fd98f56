/** The pure parts of HTTP/3: codecs and rules. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { encodeVarints } from "../../src/streams/varint.ts";
import { ControlStreamRules } from "../../src/transports/quic/http3/control-stream.ts";
import { Http3Error, http3ErrorCodes } from "../../src/transports/quic/http3/error-codes.ts";
import { encodeFrame, maxFieldSectionBytes, requestFrameHandling } from "../../src/transports/quic/http3/frames.ts";
import { decodeHuffman } from "../../src/transports/quic/http3/huffman.ts";
import { QpackDecoderInstructions, QpackEncoderInstructions } from "../../src/transports/quic/http3/qpack-streams.ts";
import { decodeFieldSection, encodeFieldSection } from "../../src/transports/quic/http3/qpack.ts";
import type { Field } from "../../src/transports/quic/http3/qpack.ts";
import { parseRequest } from "../../src/transports/quic/http3/request.ts";
import { decodeSettings, encodeSettings } from "../../src/transports/quic/http3/settings.ts";
import { staticTable } from "../../src/transports/quic/http3/static-table.ts";
import { TlvParser } from "../../src/transports/quic/http3/tlv-parser.ts";
import type { TlvEvent } from "../../src/transports/quic/http3/tlv-parser.ts";

const {
  H3_EXCESSIVE_LOAD,
  H3_FRAME_ERROR,
  H3_FRAME_UNEXPECTED,
  H3_ID_ERROR,
  H3_MESSAGE_ERROR,
  H3_MISSING_SETTINGS,
  H3_SETTINGS_ERROR,
  QPACK_DECODER_STREAM_ERROR,
  QPACK_DECOMPRESSION_FAILED,
  QPACK_ENCODER_STREAM_ERROR,
} = http3ErrorCodes;

describe("Huffman code (RFC 7541, appendix C)", () => {
  test.each([
    ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
    ["a8eb10649cbf", "no-cache"],
    ["25a849e95ba97d7f", "custom-key"],
    ["25a849e95bb8e8b4bf", "custom-value"],
    ["6402", "302"],
    ["aec3771a4b", "private"],
    ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
    [
      "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
    ["", ""],
  ])("%s is %s", (encoded, text) => {
    expect(Buffer.from(decodeHuffman(hex(encoded))).toString()).toBe(text);
  });

  test.each([
    ["padding of more than seven bits", "25a849e95ba97d7fff"],
    ["padding with a zero", "64"],
    ["the end-of-string symbol", "ffffffff"],
  ])("%s is refused", (_, encoded) => {
    expect(codeOf(() => decodeHuffman(hex(encoded)))).toBe(QPACK_DECOMPRESSION_FAILED);
  });

  test("any bytes decode or are refused", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void codeOf(() => decodeHuffman(bytes))));
  });
});

describe("QPACK (RFC 9204)", () => {
  test.each<[string, string, Field[]]>([
    ["a literal with a name of the static table (B.1)", "0000510b2f696e6465782e68746d6c", [[":path", "/index.html"]]],
    [
      "indexed fields",
      "0000d1d7",
      [
        [":method", "GET"],
        [":scheme", "https"],
      ],
    ],
    ["a literal name, plain", "000023666f6f03626172", [["foo", "bar"]]],
    [
      "a literal name and value in Huffman code",
      "00002f0125a849e95ba97d7f8925a849e95bb8e8b4bf",
      [["custom-key", "custom-value"]],
    ],
    ["the last entry", "0000ff23", [["x-frame-options", "sameorigin"]]],
    ["no field at all", "0000", []],
  ])("%s", (_, encoded, fields) => {
    expect(decodeFieldSection(hex(encoded))).toEqual(fields);
  });

  test.each([
    ["a required insert count", "0100"],
    ["an indexed field of the dynamic table", "000080"],
    ["an indexed field behind the base", "000010"],
    ["a name of the dynamic table", "00004003626172"],
    ["a name behind the base", "00000003626172"],
    ["an index beyond the static table", "0000ff24"],
    ["a string that is longer than the section", "000023666f6f04626172"],
    ["an integer without an end", "0000ffffffffffffffffffffff"],
    ["an integer that is cut", "0000ff"],
    ["a section that is cut", "00"],
    ["nothing", ""],
  ])("%s is refused", (_, encoded) => {
    expect(codeOf(() => decodeFieldSection(hex(encoded)))).toBe(QPACK_DECOMPRESSION_FAILED);
  });

  test("a section that is too large once decoded is refused for its stream", () => {
    // One byte for each of many entries.
    const bytes = new Uint8Array(2 + maxFieldSectionBytes / 32).fill(0xd1, 2);
    expect(() => decodeFieldSection(bytes)).toThrow(
      expect.objectContaining({ scope: "stream", wireCode: H3_EXCESSIVE_LOAD }),
    );
  });

  test("round trip", () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 300,
    });
    const field = fc.oneof(fc.tuple(text, text), fc.constantFrom(...staticTable));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
        expect(decodeFieldSection(encodeFieldSection(fields))).toEqual(fields.map(([name, value]) => [name, value]));
      }),
    );
  });

  test("any bytes decode or are refused", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void codeOf(() => decodeFieldSection(bytes))));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        void codeOf(() => decodeFieldSection(Uint8Array.of(0, 0, ...bytes)));
      }),
    );
  });

  test("what may be said on the instruction streams", () => {
    new QpackEncoderInstructions().push(hex("2020"));
    expect(codeOf(() => new QpackEncoderInstructions().push(hex("3fe11f")))).toBe(QPACK_ENCODER_STREAM_ERROR);
    expect(codeOf(() => new QpackEncoderInstructions().push(hex("c00f")))).toBe(QPACK_ENCODER_STREAM_ERROR);
    const decoder = new QpackDecoderInstructions();
    for (const part of ["44", "7f", "8101", "48"]) decoder.push(hex(part));
    expect(codeOf(() => decoder.push(hex("84")))).toBe(QPACK_DECODER_STREAM_ERROR);
    expect(codeOf(() => new QpackDecoderInstructions().push(hex("01")))).toBe(QPACK_DECODER_STREAM_ERROR);
  });
});

describe("frames", () => {
  test("come out the same however they are cut", () => {
    const frame = fc.record({
      type: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 0, max: 2 ** 40 })),
      payload: fc.uint8Array({ maxLength: 100 }),
    });
    const handling = (type: number) => (type % 3 === 0 ? "skip" : type % 3 === 1 ? "whole" : "parts");
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)));
        const parser = new TlvParser(handling);
        const events: TlvEvent[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const end = at + cuts[cut % cuts.length]!;
          for (const event of parser.push(Uint8Array.from(bytes.subarray(at, end)))) {
            const last = events.at(-1);
            const joins = event.kind === "part" && last?.kind === "part" && last.type === event.type;
            if (joins) events.push({ ...event, payload: Buffer.concat([events.pop()!.payload, event.payload]) });
            else events.push(event);
          }
          at = end;
        }
        expect(parser.isComplete).toBe(true);
        const wholes = events
          .filter((event) => event.kind === "whole")
          .map(({ type, payload }) => [type, hexOf(payload)]);
        expect(wholes).toEqual(
          frames.filter(({ type }) => handling(type) === "whole").map(({ type, payload }) => [type, hexOf(payload)]),
        );
        const parts = events
          .filter((event) => event.kind === "part")
          .map(({ payload }) => hexOf(payload))
          .join("");
        expect(parts).toBe(
          frames
            .filter(({ type }) => handling(type) === "parts")
            .map(({ payload }) => hexOf(payload))
            .join(""),
        );
      }),
    );
  });

  test("a length that lies allocates nothing", () => {
    const parser = new TlvParser(() => "skip");
    expect([...parser.push(hex("21ffffffffffffffff"))]).toEqual([]);
    expect([...parser.push(new Uint8Array(100_000))]).toEqual([]);
    expect(parser.isComplete).toBe(false);
  });

  test("on a request stream: HEADERS once and first, then DATA", () => {
    expect(requestFrameHandling(0x01, 100, false)).toBe("whole");
    expect(requestFrameHandling(0x00, 2 ** 40, true)).toBe("parts");
    expect(requestFrameHandling(0x21, 2 ** 40, false)).toBe("skip");
    expect(codeOf(() => requestFrameHandling(0x01, maxFieldSectionBytes + 1, false))).toBe(H3_EXCESSIVE_LOAD);
    const early = [0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0d, 0x41];
    for (const type of early) expect(codeOf(() => requestFrameHandling(type, 1, false))).toBe(H3_FRAME_UNEXPECTED);
    for (const type of [0x01, 0x04, 0x41]) {
      expect(codeOf(() => requestFrameHandling(type, 1, true))).toBe(H3_FRAME_UNEXPECTED);
    }
  });
});

describe("the control stream", () => {
  test("begins with SETTINGS, which come once", () => {
    expect(codeOf(() => new ControlStreamRules().handlingOf(0x07, 1))).toBe(H3_MISSING_SETTINGS);
    expect(codeOf(() => new ControlStreamRules().handlingOf(0x21, 1))).toBe(H3_MISSING_SETTINGS);
    expect(codeOf(() => new ControlStreamRules().handlingOf(0x04, 5000))).toBe(H3_EXCESSIVE_LOAD);
    const rules = begun();
    expect(rules.settings).toEqual(new Map([[0x33, 1]]));
    expect(codeOf(() => rules.handlingOf(0x04, 0))).toBe(H3_FRAME_UNEXPECTED);
  });

  test("carries no frames of requests, nor of HTTP/2; unknown ones are ignored", () => {
    const refused = [0x00, 0x01, 0x02, 0x05, 0x06, 0x08, 0x09];
    for (const type of refused) expect(codeOf(() => begun().handlingOf(type, 0))).toBe(H3_FRAME_UNEXPECTED);
    for (const type of [0x21, 0x0f0700, Infinity]) expect(begun().handlingOf(type, 2 ** 50)).toBe("skip");
  });

  test("GOAWAY only shrinks, MAX_PUSH_ID only grows, and nothing was pushed that could be cancelled", () => {
    const rules = begun();
    rules.frame(0x07, encodeVarints(8));
    rules.frame(0x07, encodeVarints(8));
    expect(codeOf(() => rules.frame(0x07, encodeVarints(9)))).toBe(H3_ID_ERROR);
    rules.frame(0x0d, encodeVarints(8));
    expect(codeOf(() => rules.frame(0x0d, encodeVarints(7)))).toBe(H3_ID_ERROR);
    expect(codeOf(() => rules.frame(0x03, encodeVarints(0)))).toBe(H3_ID_ERROR);
    for (const length of [0, 9]) expect(codeOf(() => rules.handlingOf(0x07, length))).toBe(H3_FRAME_ERROR);
    expect(codeOf(() => rules.frame(0x07, hex("0100")))).toBe(H3_FRAME_ERROR);
    expect(codeOf(() => rules.frame(0x07, hex("40")))).toBe(H3_FRAME_ERROR);
  });

  test("SETTINGS: round trip, and what is not valid", () => {
    const settings = new Map([
      [0x06, 65_536],
      [0x2b603742, 1],
      [0x1f * 1000 + 0x21, 2 ** 50],
    ]);
    expect(decodeSettings(encodeSettings(settings).subarray(2))).toEqual(settings);
    expect(codeOf(() => decodeSettings(hex("3301")))).toBeUndefined();
    for (const cut of ["33", "3340", "c000"]) expect(codeOf(() => decodeSettings(hex(cut)))).toBe(H3_FRAME_ERROR);
    for (const invalid of ["33013301", "3302", "0802", "0200", "0300", "0400", "0500"]) {
      expect(codeOf(() => decodeSettings(hex(invalid)))).toBe(H3_SETTINGS_ERROR);
    }
    expect(codeOf(() => decodeSettings(hex("ffffffffffffffff00ffffffffffffffff00")))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void codeOf(() => decodeSettings(bytes))));
  });
});

describe("requests", () => {
  const get: Field[] = [
    [":method", "GET"],
    [":scheme", "https"],
    [":authority", "localhost"],
    [":path", "/"],
  ];
  const connect: Field[] = [[":protocol", "webtransport"], [":method", "CONNECT"], ...get.slice(1)];

  test("what they say", () => {
    expect(parseRequest([...connect, ["origin", "https://a.example"]])).toEqual({
      method: "CONNECT",
      authority: "localhost",
      path: "/",
      protocol: "webtransport",
      fields: new Map([["origin", "https://a.example"]]),
    });
    expect(
      parseRequest([
        [":method", "CONNECT"],
        [":authority", "localhost:1"],
      ]).protocol,
    ).toBeUndefined();
  });

  test.each<[string, Field[]]>([
    ["no fields", []],
    ["no method", get.slice(1)],
    ["no path", get.slice(0, 3)],
    ["a path twice", [...get, [":path", "/"]]],
    ["a pseudo-header field behind others", [["a", "b"], ...get]],
    ["an unknown pseudo-header field", [...get, [":status", "200"]]],
    ["a name in upper case", [...get, ["Accept", "x"]]],
    ["a name with a space", [...get, ["a b", "x"]]],
    ["an empty name", [...get, ["", "x"]]],
    ["a value with a line break", [...get, ["a", "x\r\ny"]]],
    ["a value with a NUL", [...get, ["a", "x\0"]]],
    ["a field of HTTP/1.1", [...get, ["connection", "close"]]],
    [":protocol without CONNECT", [[":protocol", "webtransport"], ...get]],
    ["CONNECT with a path and without :protocol", connect.slice(1)],
    ["a session without an authority", connect.filter(([name]) => name !== ":authority")],
  ])("%s: malformed", (_, fields) => {
    expect(() => parseRequest(fields)).toThrow(
      expect.objectContaining({ scope: "stream", wireCode: H3_MESSAGE_ERROR }),
    );
  });
});

/** Rules of a control stream whose SETTINGS have come. */
function begun(): ControlStreamRules {
  const rules = new ControlStreamRules();
  expect(rules.handlingOf(0x04, 2)).toBe("whole");
  rules.frame(0x04, hex("3301"));
  return rules;
}

/** The code of the error that this throws; fails for any other error. */
function codeOf(call: () => unknown): number | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (!(error instanceof Http3Error)) throw error;
    return error.wireCode;
  }
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
