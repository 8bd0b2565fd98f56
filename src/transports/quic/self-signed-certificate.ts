// SPDX-License-Identifier: Apache-2.0
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIP } from "node:net";

import { ConecError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import { addressBytes } from "./address-bytes.ts";
import * as der from "./der.ts";

/** What {@link createSelfSignedCertificate} takes. */
export interface SelfSignedCertificateOptions {
  /** Host names and IP addresses that the certificate is for. Default: those of this machine's loopback. */
  hosts?: readonly string[] | undefined;
  /** How long it is valid, from an hour ago on. Default and most what browsers accept by hash: 14 days. */
  days?: number | undefined;
}

/** A certificate, its key, and what Clients know it by. */
export interface SelfSignedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** SHA-256 of the certificate's DER form: the `value` of `serverCertificateHashes`. */
  readonly hash: Uint8Array<ArrayBuffer>;
}

/**
 * Makes a certificate for trying things out, or for Clients that are told its hash: ECDSA P-256, as browsers want for
 * `serverCertificateHashes`.
 *
 * @example
 * ```ts
 * const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost", "127.0.0.1"] });
 * const listener = await listen({ cert, key });
 * const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
 * ```
 */
export function createSelfSignedCertificate(options: SelfSignedCertificateOptions = {}): SelfSignedCertificate {
  const { hosts = ["localhost", "127.0.0.1", "::1"], days = 14 } = checkOptions(options, "createSelfSignedCertificate");
  if (!(days > 0 && days <= 36_500)) {
    throw new ConecError("invalid-argument", `Cannot make a certificate that is valid for ${days} days`);
  }
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const notBefore = new Date(Date.now() - hourMs);
  const notAfter = new Date(notBefore.getTime() + days * dayMs);
  return issueCertificate({ name: hosts[0] ?? "conec", hosts, notBefore, notAfter, key: privateKey });
}

/** What {@link issueCertificate} puts into a certificate. */
export interface CertificateRequest {
  /** Common name of the subject. */
  name: string;
  hosts: readonly string[];
  notBefore: Date;
  notAfter: Date;
  /** The subject's private key. */
  key: KeyObject;
  /** What it is for. Default: servers. Of an "authority": to issue others. */
  use?: "server" | "client" | "authority";
  /** Who signs. Default: the subject itself. */
  issuer?: { name: string; key: KeyObject };
}

/** Makes an X.509 certificate (RFC 5280). */
export function issueCertificate(request: CertificateRequest): SelfSignedCertificate {
  const { name, hosts, notBefore, notAfter, key, use = "server", issuer = { name, key } } = request;
  const algorithm = signatureAlgorithm(issuer.key);
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.of(2))),
    der.integer(randomBytes(16)),
    algorithm.identifier,
    commonName(issuer.name),
    der.sequence(der.time(notBefore), der.time(notAfter)),
    commonName(name),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    der.explicit(
      3,
      der.sequence(
        extension(oid.basicConstraints, true, use === "authority" ? der.sequence(der.boolean(true)) : der.sequence()),
        ...(use === "authority" ? [] : [extension(oid.extendedKeyUsage, false, der.sequence(der.objectId(oid[use])))]),
        ...(hosts.length === 0 ? [] : [extension(oid.subjectAltName, false, der.sequence(...hosts.map(generalName)))]),
      ),
    ),
  );
  const signature = sign(algorithm.hash, body, issuer.key);
  const certificate = der.sequence(body, algorithm.identifier, der.bitString(signature));
  return {
    cert: pemOf("CERTIFICATE", certificate),
    key: key.export({ type: "pkcs8", format: "pem" }) as string,
    hash: new Uint8Array(createHash("sha256").update(certificate).digest()),
  };
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const oid = {
  commonName: "2.5.4.3",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  rsaWithSha256: "1.2.840.113549.1.1.11",
  ed25519: "1.3.101.112",
};

function signatureAlgorithm(key: KeyObject): { identifier: Uint8Array; hash: string | null } {
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return { identifier: der.sequence(der.objectId(oid.ed25519)), hash: null };
  if (type === "rsa") {
    return { identifier: der.sequence(der.objectId(oid.rsaWithSha256), der.nothing()), hash: "sha256" };
  }
  return { identifier: der.sequence(der.objectId(oid.ecdsaWithSha256)), hash: "sha256" };
}

function commonName(name: string): Uint8Array {
  return der.sequence(der.set(der.sequence(der.objectId(oid.commonName), der.utf8String(name))));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return der.sequence(der.objectId(id), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

/** GeneralName: dNSName [2] or iPAddress [7]. */
function generalName(host: string): Uint8Array {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  return isIP(bare) === 0 ? der.implicit(2, Buffer.from(host, "ascii")) : der.implicit(7, addressBytes(bare));
}

function pemOf(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
