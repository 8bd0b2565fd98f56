import type { ConecErrorCode } from "../../../src/index.ts";
import { framed } from "./line.ts";
import type { BadInput, Table } from "./bad-input.ts";

const nested = (levels: number): string => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
const keys = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(",")}}`;

/** Metadata, as JSON. */
const metadata: [name: string, json: string, ConecErrorCode | "nothing"][] = [
  ["a key __proto__", '{"__proto__":{"admin":true}}', "protocol-error"],
  ["a key constructor", '{"constructor":{"prototype":{}}}', "protocol-error"],
  ["a key prototype", '{"prototype":1}', "protocol-error"],
  ["a key __proto__, deep inside", '{"a":[{"b":{"__proto__":1}}]}', "protocol-error"],
  ["a key __proto__, written otherwise", '{"\\u005f\\u005fproto\\u005f\\u005f":1}', "protocol-error"],
  ["32 keys", keys(32), "nothing"],
  ["33 keys", keys(33), "protocol-error"],
  ["3000 keys", keys(3000), "protocol-error"],
  ["10^5 keys", keys(100_000), "message-too-large"],
  ["a key twice", '{"a":1,"a":2}', "protocol-error"],
  ["a key twice, deep inside", '{"a":[{"b":1,"b":1}]}', "protocol-error"],
  ["8 levels", nested(8), "nothing"],
  ["9 levels", nested(9), "protocol-error"],
  ["5000 levels", nested(5000), "protocol-error"],
  ["16 000 levels of lists", `{"a":${"[".repeat(16_000)}${"]".repeat(16_000)}}`, "protocol-error"],
  ["4096 bytes", JSON.stringify({ a: "x".repeat(4088) }), "nothing"],
  ["4097 bytes", JSON.stringify({ a: "x".repeat(4089) }), "protocol-error"],
  ["4097 bytes of letters with two bytes", JSON.stringify({ a: `x${"ä".repeat(2044)}` }), "protocol-error"],
  ["32 000 bytes", JSON.stringify({ a: "x".repeat(32_000) }), "protocol-error"],
  ["a list", "[]", "protocol-error"],
  ["null", "null", "protocol-error"],
  ["a text", '"metadata"', "protocol-error"],
  ["a number that is too large for one", '{"a":1e999}', "protocol-error"],
  ["NaN", '{"a":NaN}', "protocol-error"],
  ["a comment", "{/* nothing */}", "protocol-error"],
  ["a comma at the end", '{"a":1,}', "protocol-error"],
  ["a byte order mark", "\ufeff{}", "protocol-error"],
];

/** Names. */
const names: [name: string, json: string, ConecErrorCode | "nothing"][] = [
  ["256 characters", JSON.stringify("x".repeat(256)), "nothing"],
  ["257 characters", JSON.stringify("x".repeat(257)), "protocol-error"],
  ["NUL", '"a\\u0000b"', "protocol-error"],
  ["NUL, unescaped", '"a\u0000b"', "protocol-error"],
  ["a line break", '"a\\r\\nb"', "protocol-error"],
  ["an escape sequence", '"\\u001b[31mred"', "protocol-error"],
  ["a control character of Latin-1", '"\\u0085"', "protocol-error"],
  ["a turn of direction", '"\\u202egnp.exe"', "protocol-error"],
  ["an isolate", '"\\u2066x\\u2069"', "protocol-error"],
  ["a line separator", '"\\u2028"', "protocol-error"],
  ["half a character", '"\\ud800"', "protocol-error"],
  ["the other half", '"\\udc00\\ud800"', "protocol-error"],
  ["a number", "1", "protocol-error"],
  ["nothing", "null", "protocol-error"],
  ["the name of a method", '"__proto__"', "nothing"],
];

const openWith = (name: string, metadata: string): string =>
  `{"type":"open","stream":0,"name":${name},"metadata":${metadata}}`;

function cases(what: string, json: string, code: ConecErrorCode | "nothing"): BadInput[] {
  return [
    [`${what}, to the Coordinator`, (eve) => eve.control.text(json), code === "nothing" ? code : `connection ${code}`],
    [
      `${what}, to Carol`,
      async (eve) => (await eve.link()).line.text(json),
      code === "nothing" ? code : `channel ${code}`,
    ],
  ];
}

/** A message whose bytes are no UTF-8. */
function notUtf8(...bytes: number[]): Uint8Array {
  const message = framed('{"type":"goaway","reason":"????"}');
  message.set(bytes, message.length - 6);
  return message;
}

const invalidUtf8: [name: string, bytes: number[]][] = [
  ["a stray byte", [0xff]],
  ["an overlong form", [0xc0, 0x80]],
  ["a surrogate", [0xed, 0xa0, 0x80]],
  ["a character beyond the last", [0xf4, 0x90, 0x80, 0x80]],
  ["half a character", [0xe4, 0xb8]],
];

export const metadataAndNames: Table = {
  level: "metadata and names",
  cases: [
    ...metadata.flatMap(([name, json, code]) => cases(`metadata: ${name}`, openWith('""', json), code)),
    ...names.flatMap(([name, json, code]) => cases(`a name: ${name}`, openWith(json, "{}"), code)),
    ...invalidUtf8.flatMap(([name, bytes]): BadInput[] => [
      [
        `no UTF-8: ${name}, to the Coordinator`,
        (eve) => eve.control.write(notUtf8(...bytes)),
        "connection protocol-error",
      ],
      [
        `no UTF-8: ${name}, to Carol`,
        async (eve) => (await eve.link()).line.write(notUtf8(...bytes)),
        "channel protocol-error",
      ],
    ]),
    [
      "metadata of a request: a key __proto__",
      async (eve) => (await eve.link()).line.text('{"type":"sendChannel","via":0,"metadata":{"__proto__":1}}'),
      "channel protocol-error",
    ],
  ],
};
