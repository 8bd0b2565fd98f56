import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { issueCertificate } from "../../src/transports/quic/self-signed-certificate.ts";

/** Certificate chain and key of a server, PEM, and the SHA-256 of its leaf. */
export interface ServerCertificate {
  cert: string;
  key: string;
  hash: Uint8Array<ArrayBuffer>;
}

export type KeyKind = "ecdsa" | "ed25519" | "rsa";

export interface IssueOptions {
  /** Default: localhost, 127.0.0.1 and ::1. */
  hosts?: readonly string[];
  /** Days from now. Default: yesterday to tomorrow. */
  validDays?: readonly [number, number];
  keyKind?: KeyKind;
}

export interface Authority {
  /** What a client trusts, PEM. */
  ca: string;
  issue(options?: IssueOptions): ServerCertificate;
}

/** A certificate authority for one test file. */
export function createAuthority(name = "conec test authority"): Authority {
  const key = createKey("ecdsa");
  const { cert: ca } = issueCertificate({ name, hosts: [], ...validity(-1, 1), key, isAuthority: true });
  return {
    ca,
    issue({ hosts = ["localhost", "127.0.0.1", "::1"], validDays = [-1, 1], keyKind = "ecdsa" } = {}) {
      return issueCertificate({
        name: hosts[0] ?? "nobody",
        hosts,
        ...validity(validDays[0], validDays[1]),
        key: createKey(keyKind),
        issuer: { name, key },
      });
    },
  };
}

function createKey(kind: KeyKind): KeyObject {
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
}

function validity(from: number, to: number): { notBefore: Date; notAfter: Date } {
  const dayMs = 24 * 3_600_000;
  return { notBefore: new Date(Date.now() + from * dayMs), notAfter: new Date(Date.now() + to * dayMs) };
}
