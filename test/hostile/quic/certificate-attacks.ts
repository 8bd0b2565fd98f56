import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";

import { issueCertificate } from "../../../src/transports/quic/self-signed-certificate.ts";
import { random } from "../../support/messages.ts";
import type { Attack, Scene } from "./attack.ts";
import { ForgedHandshake, tls } from "./forged-handshake.ts";
import { clientAuthority } from "./honest-process.ts";
import { withSources } from "./source.ts";

/** Of ECDSA P-256 with SHA-256 (RFC 8446, section 4.2.3). */
const ecdsaP256 = 0x0403;

/** Attacks on a listener that asks Clients for certificates, by those who say of theirs what they like. */
export const certificateAttacks: Attack[] = [
  saying("certificates of random bytes", (index) => [tls.certificate([randomBytes(1 + 10 * index)])], 60),
  {
    ...saying(
      "certificates with a bit flipped",
      (index) => [tls.certificate([flipped(genuine(), index)]), signature()],
      200,
    ),
    isHeavy: true,
  },
  saying(
    "certificates behind a genuine one with a bit flipped",
    (index) => [tls.certificate([genuine(), flipped(genuine(), index)]), signature()],
    60,
  ),
  saying("certificates that are cut", (index) => [tls.certificate([genuine().subarray(0, 7 * index)])], 40),
  saying("lengths that lie", (index) => lies[index]!(), 9),
  saying(
    "a genuine certificate of somebody else, without its key",
    () => [tls.certificate([genuine()]), signature()],
    10,
  ),
  saying("messages of TLS in the wrong order", (index) => outOfOrder[index]!(), 7),
  {
    ...saying("a chain of 1000", () => [tls.certificate(Array<Uint8Array>(1000).fill(genuine()))], 5, { data: 5 }),
    isHeavy: true,
  },
  saying("a chain of 40, each vouching for the one before", () => [tls.certificate(longChain()), signature()], 20),
  saying("a chain that vouches for itself in a circle", () => [tls.certificate(circle()), signature()], 20),
  saying("5000 certificates of no bytes", () => [tls.certificate(Array<Uint8Array>(5000).fill(Buffer.of()))], 10),
];

const lies: readonly (() => Saying)[] = [
  () => [tls.certificate([genuine()], { list: 0 })],
  () => [tls.certificate([genuine()], { list: 2 ** 24 - 1 })],
  () => [tls.certificate([genuine()], { each: 0 })],
  () => [tls.certificate([genuine()], { each: 2 ** 24 - 1 })],
  () => [tls.certificate([genuine()], { message: 0 })],
  () => [tls.certificate([genuine()], { message: 10 })],
  () => [tls.certificate([genuine()], { message: 2 ** 24 - 1 })],
  () => [tls.certificate([genuine()], { message: 90_000 }), Buffer.alloc(40_000)],
  () => [tls.certificate([])],
];

const outOfOrder: readonly (() => Saying)[] = [
  () => [signature()],
  () => [tls.finished(randomBytes(32))],
  () => [tls.certificate([genuine()]), tls.finished(randomBytes(32))],
  () => [tls.certificate([genuine()]), tls.certificate([genuine()])],
  () => [tls.other(1, randomBytes(300))],
  () => [tls.other(24, Buffer.of(1))],
  () => [tls.other(254, randomBytes(100))],
];

/** What a client says when it is its turn to show a certificate. */
type Saying = Uint8Array[];

function saying(
  what: string,
  say: (index: number) => Saying,
  count: number,
  counts: Attack["counts"] = { handshakesFailed: count },
): Attack {
  return { name: what, counts, run: (scene) => forge(scene, count, say) };
}

/** So many handshakes, one after the other: all of them are begun as they should be. */
async function forge({ victim }: Scene, count: number, say: (index: number) => Saying): Promise<void> {
  await withSources(victim.port, 1, async ([source]) => {
    for (let index = 0; index < count; index += 1) {
      const handshake = await ForgedHandshake.begin(source!);
      if (handshake === undefined) throw new Error("The listener did not go on with a handshake");
      await handshake.say(...say(index));
    }
  });
}

/** The DER of a certificate that the listener would take. */
function genuine(): Buffer {
  return (genuineOnce ??= derOf(clientAuthority.issue({ use: "client" }).cert));
}

let genuineOnce: Buffer | undefined;

function flipped(der: Buffer, seed: number): Buffer {
  const changed = Buffer.from(der);
  changed[Math.floor(random(seed) * der.length)]! ^= 1 << (seed % 8);
  return changed;
}

function signature(): Buffer {
  return tls.certificateVerify(ecdsaP256, randomBytes(70));
}

let longChainOnce: Buffer[] | undefined;

function longChain(): Buffer[] {
  return (longChainOnce ??= makeLongChain());
}

function makeLongChain(): Buffer[] {
  const names = Array.from({ length: 40 }, (_, level) => `level ${level}`);
  const keys = names.map(() => generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey);
  return names.map((name, level) =>
    certificate(name, keys[level]!, names[level + 1] ?? name, keys[level + 1] ?? keys[level]!),
  );
}

function circle(): Buffer[] {
  const keys = [0, 1, 2].map(() => generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey);
  return keys.map((key, at) => certificate(`${at}`, key, `${(at + 1) % 3}`, keys[(at + 1) % 3]!));
}

type Key = ReturnType<typeof createPrivateKey>;

function certificate(name: string, key: Key, issuer: string, issuerKey: Key): Buffer {
  const dates = { notBefore: new Date(Date.now() - 1e6), notAfter: new Date(Date.now() + 1e6) };
  const who = { name, key, hosts: [], issuer: { name: issuer, key: issuerKey } };
  return derOf(issueCertificate({ ...who, ...dates, use: name === "level 0" ? "client" : "authority" }).cert);
}

function derOf(pem: string): Buffer {
  return new X509Certificate(pem).raw;
}
