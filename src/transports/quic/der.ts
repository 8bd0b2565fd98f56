// SPDX-License-Identifier: Apache-2.0
/** The few DER encodings (X.690) that a certificate is made of. */

export function sequence(...parts: Uint8Array[]): Uint8Array {
  return encode(0x30, Buffer.concat(parts));
}

export function set(...parts: Uint8Array[]): Uint8Array {
  return encode(0x31, Buffer.concat(parts));
}

/** A value not below 0, big-endian. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const value = first < 0 ? bytes.subarray(-1) : bytes.subarray(first);
  return encode(0x02, (value[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), value]) : value);
}

export function boolean(value: boolean): Uint8Array {
  return encode(0x01, Buffer.of(value ? 0xff : 0));
}

export function nothing(): Uint8Array {
  return encode(0x05, Buffer.alloc(0));
}

export function bitString(bytes: Uint8Array): Uint8Array {
  return encode(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return encode(0x04, bytes);
}

export function utf8String(text: string): Uint8Array {
  return encode(0x0c, Buffer.from(text, "utf8"));
}

/** From dotted form. */
export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return encode(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, section 4.1.2.5). */
export function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  return date.getUTCFullYear() < 2050
    ? encode(0x17, Buffer.from(digits.slice(2), "ascii"))
    : encode(0x18, Buffer.from(digits, "ascii"));
}

/** Context-specific and constructed: wraps a whole encoding. */
export function explicit(tag: number, content: Uint8Array): Uint8Array {
  return encode(0xa0 | tag, content);
}

/** Context-specific and primitive: replaces the tag of a value. */
export function implicit(tag: number, value: Uint8Array): Uint8Array {
  return encode(0x80 | tag, value);
}

function encode(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : [tag, 0x80 | base256(length).length, ...base256(length)];
  return Buffer.concat([Buffer.from(header), content]);
}

function base256(value: number): number[] {
  return value < 256 ? [value] : [...base256(Math.floor(value / 256)), value % 256];
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift(0x80 | (rest % 128));
  return digits;
}
