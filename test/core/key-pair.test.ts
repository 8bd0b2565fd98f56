import { describe, expect, test, vi } from "vitest";
import { generateKeyPair, importPublicKey, isPublicKey, publicKeyOf, sign, verify } from "../../src/core/key-pair.ts";
import type { PublicKey } from "../../src/core/key-pair.ts";
import { rejection } from "../support/hub.ts";

const bytes = Uint8Array.of(1, 2, 3);

function generateP256(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
}

describe.each([
  ["Ed25519", () => generateKeyPair(), /^ed25519:[\w-]{43}$/],
  ["P-256", generateP256, /^p256:[\w-]{87}$/],
])("a key pair of %s", (_, generate, form) => {
  test("has a public key as text", async () => {
    const keyPair = await generate();
    const publicKey = await publicKeyOf(keyPair);
    expect(publicKey).toMatch(form);
    expect(isPublicKey(publicKey)).toBe(true);
    expect(await publicKeyOf(keyPair)).toBe(publicKey);
    expect(await publicKeyOf(await generate())).not.toBe(publicKey);
    expect((await importPublicKey(publicKey)).usages).toEqual(["verify"]);
  });

  test("signs what nobody else can sign", async () => {
    const [keyPair, other] = [await generate(), await generate()];
    const publicKey = await publicKeyOf(keyPair);
    const signature = (await sign(keyPair, bytes)) as Uint8Array<ArrayBuffer>;
    expect(signature).toHaveLength(64);
    expect(await verify(publicKey, signature, bytes)).toBe(true);
    expect(await verify(publicKey, signature, Uint8Array.of(1, 2, 4))).toBe(false);
    expect(await verify(await publicKeyOf(other), signature, bytes)).toBe(false);
  });
});

test("the private key stays where it is, unless it is asked for", async () => {
  const keyPair = await generateKeyPair();
  expect(keyPair.privateKey.extractable).toBe(false);
  expect((await generateKeyPair({ extractable: true })).privateKey.extractable).toBe(true);
});

test("P-256 where there is no Ed25519", async () => {
  const generate = vi.spyOn(crypto.subtle, "generateKey");
  generate.mockRejectedValueOnce(new DOMException("none", "NotSupportedError"));
  expect(await publicKeyOf(await generateKeyPair())).toMatch(/^p256:/);
  generate.mockRestore();
});

test("other keys are no keys of Clients", async () => {
  const other = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, false, ["sign", "verify"]);
  expect(await rejection(publicKeyOf(other))).toMatchObject({ code: "invalid-argument" });
  const { publicKey } = await generateKeyPair();
  expect(await rejection(publicKeyOf({ publicKey, privateKey: publicKey }))).toMatchObject({
    code: "invalid-argument",
  });
});

test.each(["", "ed25519:", `ed25519:${"A".repeat(44)}`, `p256:${"A".repeat(87)}`, "rsa:AAAA", "ed25519:+"])(
  "%s is no public key",
  async (text) => {
    expect(await rejection(importPublicKey(text))).toMatchObject({ code: "invalid-argument" });
    expect(await rejection(verify(text as PublicKey, new Uint8Array(64), bytes))).toMatchObject({
      code: "invalid-argument",
    });
  },
);
