// SPDX-License-Identifier: Apache-2.0
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import * as tls from "node:tls";

import { ConecError } from "../../core/errors.ts";
import type { TlsOptions } from "./binding.ts";
import { parseAuthorities } from "./pem.ts";
import type { Pem } from "./pem.ts";

export interface ServerIdentityOptions {
  ca?: Pem | readonly Pem[] | undefined;
  serverCertificateHashes?: readonly CertificateHash[] | undefined;
  serverName?: string | undefined;
}

/** As in the W3C `WebTransportHash`. */
export interface CertificateHash {
  algorithm: string;
  value: BufferSource;
}

const certificateExpiredAlert = 0x12d;
const unknownAuthorityAlert = 0x130;

/**
 * How a client makes sure of the server. Either the certificate comes from a trusted authority and is for the host that
 * was dialled, or its SHA-256 is one that was given; then nothing but its dates counts beside.
 */
export class ServerIdentity {
  readonly tls: Omit<TlsOptions, "cert" | "key">;
  readonly #pins: ReadonlySet<string> | undefined;
  readonly #serverName: string | undefined;

  /** @throws ConecError `invalid-argument` */
  constructor({ ca, serverCertificateHashes, serverName }: ServerIdentityOptions) {
    this.#serverName = serverName;
    this.#pins = serverCertificateHashes && new Set(serverCertificateHashes.map(pinOf));
    const pinned = this.#pins !== undefined;
    this.tls = {
      verifyPeer: true,
      allowFailure: pinned,
      ca: pinned ? null : ca === undefined ? defaultAuthorities().join("\n") : parseAuthorities(ca),
    };
  }

  /** The name that the engine asks for and checks. It knows names only: an address in a certificate is checked here. */
  engineName(host: string): string | null {
    const name = this.#serverName ?? host;
    return isIP(name) === 0 ? name : null;
  }

  /** After the handshake, before any data. @throws ConecError `certificate-…` */
  verify(chain: readonly Uint8Array[], host: string): void {
    const leaf = parseLeaf(chain);
    const name = this.#serverName ?? host;
    if (this.#pins !== undefined) {
      const hash = createHash("sha256").update(leaf.raw).digest("hex");
      if (!this.#pins.has(hash)) {
        throw untrusted(`The certificate of ${name} has none of the given hashes (its SHA-256 is ${hash})`);
      }
      assertDates(leaf, name);
    } else if (isIP(name) !== 0) {
      assertName(leaf, name);
    }
  }

  /** Why the engine did not accept the server's certificate. */
  explain(chain: readonly Uint8Array[], host: string, engineError: number): ConecError {
    const name = this.#serverName ?? host;
    try {
      const leaf = parseLeaf(chain);
      assertDates(leaf, name);
      if (engineError !== unknownAuthorityAlert) assertName(leaf, name);
      if (engineError === certificateExpiredAlert) return expired(`A certificate above that of ${name} has expired`);
      return untrusted(`The certificate of ${name} was not issued by a trusted authority`);
    } catch (error) {
      return error as ConecError;
    }
  }
}

/** Node's own list of authorities, or the system's where Node can be told to use that. */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: "default") => string[] };
  return getCACertificates?.("default") ?? tls.rootCertificates;
}

function pinOf({ algorithm, value }: CertificateHash): string {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
  if (algorithm.toLowerCase() !== "sha-256" || bytes.length !== 32) {
    throw new ConecError("invalid-argument", "Cannot use a certificate hash that is not a SHA-256 of 32 bytes");
  }
  return bytes.toString("hex");
}

function parseLeaf(chain: readonly Uint8Array[]): X509Certificate {
  const [leaf] = chain;
  if (leaf === undefined) throw untrusted("The server has shown no certificate");
  try {
    return new X509Certificate(leaf);
  } catch (cause) {
    throw untrusted("The server's certificate cannot be read", cause);
  }
}

function assertDates(leaf: X509Certificate, name: string): void {
  const nowMs = Date.now();
  if (nowMs > Date.parse(leaf.validTo)) throw expired(`The certificate of ${name} expired on ${leaf.validTo}`);
  if (nowMs < Date.parse(leaf.validFrom)) {
    throw expired(`The certificate of ${name} is not valid before ${leaf.validFrom}`);
  }
}

function assertName(leaf: X509Certificate, name: string): void {
  const matches = isIP(name) === 0 ? leaf.checkHost(name, { subject: "never" }) : leaf.checkIP(name);
  if (matches !== undefined) return;
  const names = leaf.subjectAltName ?? "no name";
  throw new ConecError("certificate-name-mismatch", `The server's certificate is for ${names}, not for ${name}`, {
    remote: true,
  });
}

function expired(message: string): ConecError {
  return new ConecError("certificate-expired", message, { remote: true });
}

function untrusted(message: string, cause?: unknown): ConecError {
  return new ConecError("certificate-untrusted", message, { remote: true, ...(cause !== undefined && { cause }) });
}
