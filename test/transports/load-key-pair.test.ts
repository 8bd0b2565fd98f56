import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sign, verify } from "../../src/core/key-pair.ts";
import { publicKeyOf } from "../../src/index.ts";
import { loadKeyPair } from "../../src/transports/quic/index.ts";
import { rejection } from "../support/hub.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "conec-key-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("the first call makes a key, later ones find it, only its owner may read it", async () => {
  const path = join(folder, "alice.pem");
  const made = await loadKeyPair(path);
  const found = await loadKeyPair(path);
  expect(await publicKeyOf(found)).toBe(await publicKeyOf(made));
  if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(found.privateKey.extractable).toBe(false);
  const bytes = Uint8Array.of(1);
  const signature = (await sign(made, bytes)) as Uint8Array<ArrayBuffer>;
  expect(await verify(await publicKeyOf(found), signature, bytes)).toBe(true);
});

test("of several calls at once one makes it, and all have the same", async () => {
  const path = join(folder, "shared.pem");
  const pairs = await Promise.all(Array.from({ length: 8 }, () => loadKeyPair(path)));
  expect(new Set(await Promise.all(pairs.map(publicKeyOf))).size).toBe(1);
});

test("a P-256 key made by others, in either PEM form", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const keys = ["pkcs8", "sec1"].map((type) => {
    const path = join(folder, `${type}.pem`);
    writeFileSync(path, privateKey.export({ type: type as "pkcs8", format: "pem" }));
    return loadKeyPair(path).then(publicKeyOf);
  });
  const [first, second] = await Promise.all(keys);
  expect(first).toMatch(/^p256:/);
  expect(second).toBe(first);
});

test("files that hold no such key, and places where none can be", async () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ed = generateKeyPairSync("ed25519");
  const files: [string, string][] = [
    ["empty", ""],
    ["text", "hello"],
    ["rsa", rsa.export({ type: "pkcs8", format: "pem" }) as string],
    ["public", ed.publicKey.export({ type: "spki", format: "pem" }) as string],
    [
      "encrypted",
      ed.privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }) as string,
    ],
  ];
  for (const [name, content] of files) {
    writeFileSync(join(folder, name), content);
    expect(await rejection(loadKeyPair(join(folder, name)))).toMatchObject({ code: "invalid-argument" });
  }
  expect(await rejection(loadKeyPair(folder))).toMatchObject({ code: "invalid-argument" });
  expect(await rejection(loadKeyPair(join(folder, "absent", "key.pem")))).toMatchObject({ code: "invalid-argument" });
});
