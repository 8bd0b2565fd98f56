// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { ConecError } from "../../core/errors.ts";

/** The certificate chain and key of one end, checked: the engine does not survive bad ones. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  /** PKCS #8, DER. */
  readonly keyBytes: Uint8Array;
  readonly leaf: X509Certificate;
  /** Of all certificates together, DER. */
  readonly chainBytes: number;
}

export type Pem = string | Uint8Array;

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const curves = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** @throws ConecError `invalid-argument`: not PEM, a key of an unknown kind, or one of another certificate. */
export function parseIdentity(cert: Pem, key: Pem): Identity {
  const chain = parseCertificates("cert", cert);
  const privateKey = parseKey(key);
  const leaf = chain[0] as X509Certificate;
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new ConecError("invalid-argument", "Cannot use the certificate: `key` is not the key of `cert`");
  }
  return {
    leaf,
    chainBytes: chain.reduce((sum, { raw }) => sum + raw.length, 0),
    cert: chain.map((certificate) => certificate.toString()).join("\n"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    keyBytes: privateKey.export({ type: "pkcs8", format: "der" }),
  };
}

/** All certificates of a PEM text, at least one. */
function parseCertificates(name: string, pem: Pem): X509Certificate[] {
  const blocks = pemText(name, pem).match(certificatePattern) ?? [];
  if (blocks.length === 0) {
    throw new ConecError("invalid-argument", `Cannot read \`${name}\`: there is no PEM certificate in it`);
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new ConecError("invalid-argument", `Cannot read \`${name}\`: not a certificate`, { cause });
    }
  });
}

/** All certificates of one or several PEM texts, as one. @throws ConecError `invalid-argument` */
export function parseAuthorities(ca: Pem | readonly Pem[]): string {
  const list = typeof ca === "string" || ca instanceof Uint8Array ? [ca] : ca;
  const certificates = list.flatMap((pem) => parseCertificates("ca", pem));
  if (certificates.length === 0) throw new ConecError("invalid-argument", "Cannot use `ca`: it is empty");
  return certificates.map((certificate) => certificate.toString()).join("\n");
}

function parseKey(pem: Pem): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pemText("key", pem));
  } catch (cause) {
    throw new ConecError("invalid-argument", "Cannot read `key`: not an unencrypted PEM private key", { cause });
  }
  const type = key.asymmetricKeyType ?? "";
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  if (type === "ed25519" || type === "rsa" || (type === "ec" && curves.has(curve))) return key;
  const message = `Cannot use a key of type ${type} ${curve}: take Ed25519, ECDSA P-256, P-384 or P-521, or RSA`;
  throw new ConecError("invalid-argument", message);
}

function pemText(name: string, pem: unknown): string {
  if (typeof pem === "string") return pem;
  if (pem instanceof Uint8Array) return Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString("latin1");
  throw new ConecError("invalid-argument", `Cannot read \`${name}\`: neither a string nor a Uint8Array`);
}
