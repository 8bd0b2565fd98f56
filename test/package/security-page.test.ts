/** What docs/security.md says of the code is so: the default of every limit, and where the tests are. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { clientLimits, coordinatorLimits } from "../../src/core/limits.ts";
import { defaultAdmissionLimits } from "../../src/transports/quic/admission.ts";
import { defaultConnectionLimits as quicConnection } from "../../src/transports/quic/connection-limits.ts";
import { defaultConnectionLimits as webSocketConnection } from "../../src/transports/websocket/connection-limits.ts";
import { defaultHandshakeLimits } from "../../src/transports/websocket/node/handshakes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/security.md"), "utf8");

test.each([
  ["Coordinator and Client", { ...clientLimits(), ...coordinatorLimits() }],
  ["Listener of QUIC", { ...defaultAdmissionLimits, ...quicConnection }],
  ["Listener of WebSocket", { ...defaultHandshakeLimits, ...webSocketConnection }],
])("%s", (title, limits) => {
  expect(tableOf(title)).toEqual(new Map(Object.entries(limits)));
});

test("the tests that it names are there", () => {
  const named = page
    .split("\n")
    .flatMap((line) => filesIn(line))
    .filter((file) => file.startsWith("test/"));
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

/** The paths in a line. A name alone is in the folder of the path before. */
function filesIn(line: string): string[] {
  let folder = "";
  return [...line.matchAll(/`([\w./-]+(?:\.ts|\/))`/g)].map(([, file]) => {
    if (!file!.includes("/")) return `${folder}/${file!}`;
    folder = dirname(file!);
    return file!;
  });
}

/** The limits under a title, with their defaults. */
function tableOf(title: string): Map<string, number> {
  const section = page.split(/^#+ /m).find((each) => each.startsWith(`${title}\n`))!;
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(
    rows.map((row) => {
      const [, name, ...columns] = row.split("|").map((column) => column.trim());
      const value = columns.find((column) => /^\d/.test(column));
      return [name!.replaceAll("`", ""), value === undefined ? NaN : parsed(value)];
    }),
  );
}

const units: Readonly<Record<string, number>> = { s: 1000, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Of "64 MiB", "2^24", "5 s" or "32", in bytes or milliseconds or pieces. */
function parsed(text: string): number {
  const [, number, exponent = 1, unit] = /^(\d+)(?:\^(\d+))?(?: (\w+))?$/.exec(text)!;
  return Number(number) ** Number(exponent) * (unit === undefined ? 1 : units[unit]!);
}
