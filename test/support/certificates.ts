import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { issueCertificate } from "../../src/transports/quic/self-signed-certificate.ts";

/** Certificate chain and key of a server or client, PEM, and the SHA-256 of its leaf. */
export interface ServerCertificate {
  cert: string;
  key: string;
  hash: Uint8Array<ArrayBuffer>;
}

type KeyKind = "ecdsa" | "ed25519" | "rsa";

export interface IssueOptions {
  /** Default: localhost, 127.0.0.1 and ::1; none for clients. */
  hosts?: readonly string[];
  /** Days from now. Default: yesterday to tomorrow. */
  validDays?: readonly [number, number];
  keyKind?: KeyKind;
  /** Default: servers. */
  use?: "server" | "client";
}

export interface Authority {
  /** What is trusted, PEM. */
  ca: string;
  issue(options?: IssueOptions): ServerCertificate;
  /** One that this one vouches for: its certificate goes along with those that it issues. */
  subordinate(name: string): Authority;
}

/** A certificate authority for one test file. */
export function createAuthority(name = "conec test authority"): Authority {
  const key = createKey("ecdsa");
  const { cert } = issueCertificate({ name, hosts: [], ...validity(-1, 1), key, use: "authority" });
  return authorityOf(name, key, cert, "");
}

function authorityOf(name: string, key: KeyObject, ca: string, chain: string): Authority {
  const issuer = { name, key };
  return {
    ca,
    issue({ use = "server", hosts, validDays = [-1, 1], keyKind = "ecdsa" } = {}) {
      const names = hosts ?? (use === "client" ? [] : ["localhost", "127.0.0.1", "::1"]);
      const subject = { name: names[0] ?? "nobody", hosts: names, key: createKey(keyKind), use };
      const { cert, ...rest } = issueCertificate({ ...subject, ...validity(validDays[0], validDays[1]), issuer });
      return { ...rest, cert: cert + chain };
    },
    subordinate(lower) {
      const lowerKey = createKey("ecdsa");
      const subject = { name: lower, hosts: [], key: lowerKey, use: "authority" as const };
      const { cert } = issueCertificate({ ...subject, ...validity(-1, 1), issuer });
      return authorityOf(lower, lowerKey, cert, cert + chain);
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
