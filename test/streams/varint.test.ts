import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeVarints,
  maxVarint,
  readVarint,
  varintLength,
  varintLengthFrom,
  writeVarint,
} from "../../src/streams/varint.ts";
import { readVectors } from "../vectors/read-vectors.ts";
import { fromHex, toHex } from "./hex.ts";

const vectors = readVectors<{ note: string; hex: string; value: string }>("varint");

test.each(vectors)("reads $hex ($note)", ({ hex, value }) => {
  const bytes = fromHex(hex);
  expect(varintLengthFrom(bytes[0]!)).toBe(bytes.length);
  expect(readVarint(bytes, 0)).toBe(BigInt(value) > BigInt(maxVarint) ? Infinity : Number(value));
});

const writable = vectors.filter(({ note, value }) => !note.includes("not the shortest") && BigInt(value) <= maxVarint);

test.each(writable)("writes $value as $hex", ({ hex, value }) => {
  expect(varintLength(Number(value))).toBe(hex.length / 2);
  expect(toHex(encodeVarints(Number(value)))).toBe(hex);
});

const anyLength = fc.oneof(
  fc.nat(0x3f),
  fc.nat(0x3fff),
  fc.nat(0x3fff_ffff),
  fc.maxSafeNat(),
  fc.constantFrom(63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 32 - 1, 2 ** 32, maxVarint),
);

test("what is written at any offset reads the same, and nothing beside it is touched", () => {
  fc.assert(
    fc.property(anyLength, fc.nat(9), (value, offset) => {
      const length = varintLength(value);
      const bytes = new Uint8Array(offset + length + 8).fill(0xa5);
      expect(writeVarint(bytes, offset, value)).toBe(offset + length);
      expect(varintLengthFrom(bytes[offset]!)).toBe(length);
      expect(readVarint(bytes, offset)).toBe(value);
      expect(bytes.subarray(0, offset).every((byte) => byte === 0xa5)).toBe(true);
      expect(bytes.subarray(offset + length).every((byte) => byte === 0xa5)).toBe(true);
    }),
  );
});

test("several varints stand one behind the other", () => {
  fc.assert(
    fc.property(fc.array(anyLength, { maxLength: 8 }), (values) => {
      const bytes = encodeVarints(...values);
      const read: number[] = [];
      let offset = 0;
      for (; offset < bytes.length; offset += varintLengthFrom(bytes[offset]!)) read.push(readVarint(bytes, offset));
      expect(offset).toBe(bytes.length);
      expect(read).toEqual(values);
    }),
  );
});

test("any 8 bytes read as what RFC 9000 says, as far as a number holds it", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 62n - 1n), (value) => {
      const bytes = fromHex((value | (3n << 62n)).toString(16));
      expect(readVarint(bytes, 0)).toBe(value > BigInt(maxVarint) ? Infinity : Number(value));
    }),
  );
});
