/** The folder of the web example: what senders call their files must not matter to anything else on the disk. */
import * as fc from "fast-check";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { folderSink } from "../../examples/web/folder-sink.js";
import { cleanFileName, cleanPersonName } from "../../examples/web/shared/names.js";

let outside: string;
let folder: string;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), "conec-folder-"));
  folder = join(outside, "into");
  mkdirSync(folder);
});

afterEach(() => rmSync(outside, { recursive: true, force: true }));

async function receive(name: string, content: string): Promise<string | undefined> {
  const sink = await folderSink(folder, name);
  const writer = sink.writable.getWriter();
  await writer.write(new TextEncoder().encode(content));
  await writer.close();
  await sink.keep();
  return sink.path();
}

test.each([
  ["holiday.jpg", "holiday.jpg"],
  ["../../etc/passwd", "passwd"],
  ["..", "file"],
  ["/", "file"],
  ["", "file"],
  ["C:\\Windows\\win.ini", "win.ini"],
  ["a:b?.txt", "a_b_.txt"],
  ["con.txt", "_con.txt"],
  [".bashrc", "bashrc"],
  ["trailing. . ", "trailing"],
  ["\u202egpj.exe", "gpj.exe"],
  ["line\nbreak\0.txt", "linebreak.txt"],
])("%j becomes %j", (name, clean) => {
  expect(cleanFileName(name)).toBe(clean);
});

test("any name becomes that of a file in the folder", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (name) => {
      const clean = cleanFileName(name);
      expect(dirname(join(folder, clean))).toBe(folder);
      expect(clean).not.toMatch(/^\.|[/\\\0]|^$/);
      expect(new TextEncoder().encode(clean).length).toBeLessThanOrEqual(200);
    }),
  );
});

test("a long name keeps its extension and whole characters", () => {
  expect(cleanFileName(`${"ä".repeat(300)}.jpeg`)).toBe(`${"ä".repeat(97)}.jpeg`);
  expect(cleanFileName(`${"😀".repeat(300)}.jpg`)).toBe(`${"😀".repeat(49)}.jpg`);
});

test("people's names", () => {
  expect(cleanPersonName("  Ann\n\u202e  Lee ")).toBe("Ann Lee");
  expect(cleanPersonName(undefined)).toBe("Somebody");
  expect(cleanPersonName("😀".repeat(30))).toBe("😀".repeat(20));
});

test("nothing is overwritten", async () => {
  writeFileSync(join(folder, "a.txt"), "mine");
  expect(await receive("a.txt", "first")).toBe(join(folder, "a (1).txt"));
  expect(await receive("x/a.txt", "second")).toBe(join(folder, "a (2).txt"));
  const contents = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]);
  expect(Object.fromEntries(contents)).toEqual({ "a.txt": "mine", "a (1).txt": "first", "a (2).txt": "second" });
});

test("what is not kept leaves nothing", async () => {
  const sink = await folderSink(folder, "a.txt");
  const writer = sink.writable.getWriter();
  await writer.write(new Uint8Array(10));
  await writer.abort(new Error("cancelled"));
  await sink.discard();
  const unused = await folderSink(folder, "b.txt");
  await unused.discard();
  expect(readdirSync(folder)).toEqual([]);
});

test("two files of one name at once", async () => {
  const sinks = await Promise.all([folderSink(folder, "a.txt"), folderSink(folder, "a.txt")]);
  await Promise.all(sinks.map(({ writable }) => writable.close()));
  await Promise.all(sinks.map((sink) => sink.keep()));
  expect(readdirSync(folder).toSorted()).toEqual(["a (1).txt", "a.txt"]);
});
