// SPDX-License-Identifier: Apache-2.0
import { ConecError } from "../../core/errors.ts";
import type { TlsOptions } from "./binding.ts";
import { parseAuthorities, parseIdentity } from "./pem.ts";
import type { Identity, Pem } from "./pem.ts";

/** What a listener asks of the certificates of Clients. `authenticate` gets what they show: `remote.certificates`. */
export interface ClientCertificates {
  /**
   * Authorities that they must come from, PEM. Who shows another one, one that has expired, or one that is not for clients
   * (extended key usage, RFC 5280, section 4.2.1.12) is refused. Default: none is looked at, whoever made it and whenever;
   * only that the Client has its key is certain. `authenticate` decides.
   */
  ca?: Pem | readonly Pem[] | undefined;
  /**
   * Whether who shows none is refused. Browsers show none over WebTransport. Default true. Over QUIC, false needs `ca`.
   */
  required?: boolean | undefined;
}

/** The same, checked. */
export interface ClientCertificateRules {
  /** PEM. */
  readonly ca: string | undefined;
  readonly required: boolean;
}

/** @throws ConecError `invalid-argument` */
export function parseClientCertificates({ ca, required = true }: ClientCertificates): ClientCertificateRules {
  return { ca: ca === undefined ? undefined : parseAuthorities(ca), required };
}

/** What the engine of a listener is told. @throws ConecError `unsupported` */
export function tlsOfRules(rules: ClientCertificateRules | undefined): Omit<TlsOptions, "cert" | "key"> {
  if (rules === undefined) return { verifyPeer: false, allowFailure: false, ca: null };
  const { ca, required } = rules;
  if (ca !== undefined) return { verifyPeer: true, allowFailure: false, mayBeAbsent: !required, ca };
  if (required) return { verifyPeer: true, allowFailure: true, ca: null };
  throw new ConecError(
    "unsupported",
    "Over QUIC, `clientCertificates` that are not required need `ca`: else listen on another port for Clients without",
  );
}

/**
 * The certificate of a Client.
 *
 * @throws ConecError `invalid-argument`: as of a server, or one without the other, or a chain that no listener would take
 */
export function parseClientIdentity(cert: Pem | undefined, key: Pem | undefined): Identity | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new ConecError("invalid-argument", "Cannot use `cert` without `key`, nor `key` without `cert`");
  }
  const identity = parseIdentity(cert, key);
  if (identity.chainBytes <= maxClientChainBytes) return identity;
  throw new ConecError("invalid-argument", `Cannot use \`cert\`: a chain of more than ${maxClientChainBytes} bytes`);
}

/** All certificates of a Client together, DER. A chain of four with RSA keys of 4096 bits has 6 KB. */
const maxClientChainBytes = 16 * 1024;

/** What a Client may send to show such a chain: twice as much, since some of it may be lost. */
export const clientCertificateBytes = 2 * maxClientChainBytes;
