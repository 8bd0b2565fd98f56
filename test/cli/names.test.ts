/** Names of files as a hostile sender may choose them. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative, sep, win32 } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { numberedName, pathFault, shortened } from "../../src/cli/files/hostile-names.ts";
import { moveBeside, moveUnlessThere } from "../../src/cli/files/give-name.ts";
import { otherSpelling, ReceivedFolder } from "../../src/cli/files/received-folder.ts";

const hostile = [
  "",
  ".",
  "..",
  "/",
  "/etc/passwd",
  "../x",
  "a/../../b",
  "..\\x",
  "a\\b",
  "C:",
  "c:x",
  "C:\\Windows",
  "\\\\server\\share",
  "nul\0.txt",
  "a\0",
  "line\nbreak",
  "\u001b[2Jclear",
  "\u202egpj.exe",
  "\ud800",
  "x.CONEC-PART",
  "é".repeat(128),
];

/** What Linux takes and Windows does not. */
const deviceNames = [
  "CON",
  "nul.txt",
  "Com1",
  "lpt9.x",
  "COM¹",
  "aux ",
  "prn.",
  "a:b",
  "a?",
  "a*",
  "end.",
  "end ",
  "CONIN$",
];

test.each(hostile)("%j is refused everywhere", (name) => {
  for (const platform of ["linux", "darwin", "win32"] as const) {
    expect(pathFault([name], platform)).toBeTypeOf("string");
    expect(pathFault(["folder", name], platform)).toBeTypeOf("string");
    expect(pathFault([name, "file"], platform)).toBeTypeOf("string");
  }
});

test.each(deviceNames)("%j is refused on Windows", (name) => {
  expect(pathFault([name], "win32")).toBeTypeOf("string");
});

test.each(["a", "a.txt", ".hidden", "ein Päckchen", "日本語.txt", "a b (1).tar.gz", "...", "-rf", "~", "e\u0301"])(
  "%j is taken",
  (name) => {
    expect(pathFault([name], "linux")).toBeUndefined();
    if (name !== "...") expect(pathFault([name], "win32")).toBeUndefined();
  },
);

const nastyPart = fc.oneof(
  fc.constantFrom(...hostile, ...deviceNames),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.stringMatching(/^[./\\:a-c ]{0,8}$/),
);

test("whatever is taken names something inside of the folder, on any system", () => {
  fc.assert(
    fc.property(fc.array(nastyPart, { maxLength: 4 }), (path) => {
      if (pathFault(path, "linux") === undefined) {
        const way = relative("/root/in", join("/root/in", ...path));
        expect(way === "" || way.startsWith("../") || way === ".." || isAbsolute(way)).toBe(false);
        expect(way.split("/")).toEqual(path);
      }
      if (pathFault(path, "win32") === undefined) {
        const way = win32.relative("D:\\in", win32.join("D:\\in", ...path));
        expect(way.split("\\")).toEqual(path);
        expect(win32.isAbsolute(way)).toBe(false);
      }
    }),
    { numRuns: 2000 },
  );
});

describe("a folder for what is received", () => {
  let base: string;
  let into: string;
  let outside: string;
  let folder: ReceivedFolder;
  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), "conec-names-"));
    into = join(base, "in");
    outside = join(base, "outside");
    mkdirSync(into);
    mkdirSync(outside);
    symlinkSync(outside, join(into, "out"));
    symlinkSync("..", join(into, "up"));
    symlinkSync(".", join(into, "here"));
    symlinkSync("nowhere", join(into, "dangling"));
    writeFileSync(join(into, "file"), "x");
    folder = await ReceivedFolder.open(into);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  test("nothing is ever made outside of it", async () => {
    const part = fc.oneof(nastyPart, fc.constantFrom("out", "up", "here", "dangling", "file", "new", "in", "outside"));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (path) => {
        try {
          const place = await folder.place(path);
          expect(relative(folder.path, place.folder).split(sep)[0]).not.toBe("..");
          await folder.makeFolder(place);
        } catch (error) {
          const { name, code } = error as { name: string; code: string };
          // Refused by name, or by the file system (a name that it does not take).
          expect(name === "NotTaken" || /^E[A-Z]+$/.test(code), String(error)).toBe(true);
        }
        expect(readdirSync(base).sort()).toEqual(["in", "outside"]);
        expect(readdirSync(outside)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("a finished file never takes the place of another", async () => {
    writeFileSync(join(into, "part"), "part");
    expect(await moveUnlessThere(join(into, "part"), join(into, "file"))).toBe(false);
    expect(await moveUnlessThere(join(into, "part"), join(into, "dangling"))).toBe(false);
    expect(await moveBeside(join(into, "part"), { folder: into, name: "file" })).toBe("file (1)");
    expect(await folder.present({ folder: into, name: "dangling" })).toMatchObject({ isFile: false, isFolder: false });
  });
});

test("a file that is spelled otherwise on a file system without case is another file", () => {
  expect(otherSpelling("A.TXT", ["a.txt", "b"])).toBe("a.txt");
  expect(otherSpelling("\u00e9", ["e\u0301"])).toBe("e\u0301");
  expect(otherSpelling("a.txt", ["a.txt", "A.TXT"])).toBeUndefined();
});

test("other names are never too long, and keep the extension", () => {
  expect(numberedName("photo.jpg", 2)).toBe("photo (2).jpg");
  expect(numberedName(".bashrc", 1)).toBe(".bashrc (1)");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }), fc.nat(9999), (name, number) => {
      expect(Buffer.byteLength(numberedName(name, number))).toBeLessThanOrEqual(255);
      const cut = shortened(name, 20);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(20);
      expect(name.startsWith(cut)).toBe(true);
    }),
  );
});
