import { describe, expect, test } from "vitest";
import { fromBase64Url, toBase64Url } from "../../src/core/base64url.ts";
import { authorityOf, bindingFault, checkProof, createNonce, createProof } from "../../src/core/client-proof.ts";
import { generateKeyPair, publicKeyOf } from "../../src/core/key-pair.ts";
import type { PublicKey } from "../../src/core/key-pair.ts";
import { rejection } from "../support/hub.ts";
import { readVectors } from "../vectors/read-vectors.ts";

const utf8 = new TextEncoder();
const identify = utf8.encode('{"type":"identify"}');

interface Vector {
  name: string;
  privateKey: string;
  nonce: string;
  identify: string;
  signature: string;
}

test.each(readVectors<Vector>("client-proof"))("vector: $name", async ({ privateKey, nonce, ...vector }) => {
  const bytes = utf8.encode(vector.identify);
  const { publicKey } = JSON.parse(vector.identify) as { publicKey: PublicKey };
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${privateKey}`, "hex");
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  expect(await createProof({ privateKey: key, publicKey: key }, nonce, bytes)).toBe(vector.signature);
  await checkProof({ publicKey }, nonce, bytes, { signature: vector.signature });
});

test("a nonce is 32 bytes and never comes again", () => {
  const nonces = Array.from({ length: 100 }, createNonce);
  expect(new Set(nonces).size).toBe(100);
  expect(fromBase64Url(nonces[0]!)).toHaveLength(32);
});

test("a proof serves for one key, one nonce, one message", async () => {
  const keyPair = await generateKeyPair();
  const publicKey = await publicKeyOf(keyPair);
  const nonce = createNonce();
  const signature = await createProof(keyPair, nonce, identify);
  await checkProof({ publicKey }, nonce, identify, { signature });
  const stranger = await publicKeyOf(await generateKeyPair());
  const notOnCurve = `p256:${toBase64Url(new Uint8Array(65))}` as const;
  const other = utf8.encode('{"type":"identify","id":"admin"}');
  const attempts = [
    checkProof({ publicKey: stranger }, nonce, identify, { signature }),
    checkProof({ publicKey: notOnCurve }, nonce, identify, { signature }),
    checkProof({ publicKey }, createNonce(), identify, { signature }),
    checkProof({ publicKey }, nonce, other, { signature }),
    checkProof({ publicKey }, nonce, identify, { signature: toBase64Url(new Uint8Array(64)) }),
  ];
  for (const error of await Promise.all(attempts.map(rejection))) expect(error).toMatchObject({ code: "refused" });
});

describe("where the Client believes to be", () => {
  const own = new Uint8Array(32).fill(1);
  const server = { certificateHashes: [own], hasName: (host: string) => host === "home.example" };
  const [mine, other] = [own, new Uint8Array(32).fill(2)].map(toBase64Url) as [string, string];

  test.each([
    ["the certificate is this one's", [mine], "elsewhere", server, undefined, true],
    ["it is one of several", [other, mine], "elsewhere", server, undefined, true],
    ["the certificate is another", [other], "home.example:1", server, undefined, false],
    ["no certificate was seen, the name fits it", [], "home.example:1", server, undefined, true],
    ["no certificate was seen, the name does not fit it", [], "evil.example", server, undefined, false],
    ["the Coordinator knows no certificate", [other], "any", undefined, undefined, true],
    ["the Coordinator knows no names", [], "any", { certificateHashes: [own] }, undefined, true],
    ["the application knows the authority", [other], "a.example:8443", server, ["a.example:8443"], true],
    ["the application knows the host", [], "[::1]:8443", server, ["::1"], true],
    ["the application knows other names", [mine], "b.example", server, ["a.example"], false],
  ])("%s", (_, certificateHashes, authority, known, authorities, fine) => {
    expect(bindingFault({ authority, certificateHashes }, known, authorities) === undefined).toBe(fine);
  });

  test("the authority of a URL", () => {
    expect(authorityOf("https://Home.example:443/path?x")).toBe("home.example");
    expect(authorityOf(new URL("https://[::1]:4433"))).toBe("[::1]:4433");
  });
});
