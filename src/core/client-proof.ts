// SPDX-License-Identifier: Apache-2.0
/**
 * How a Client proves that it has the private key to the public key it shows (docs/protocol.md, "Joining").
 *
 * What it signs holds the Coordinator's fresh nonce, so that it serves once, and where the Client believes it is: the
 * authority that it dialled and the certificate that it met there. So whoever has a Client connect to it cannot pass the
 * proof on to a Coordinator and be taken for the Client.
 */
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import type { ControlMessageOf } from "./control-messages.ts";
import { ConecError, quoted } from "./errors.ts";
import { sign, verify } from "./key-pair.ts";
import type { ServerCertificate } from "./transport.ts";

/** Bytes of a nonce. */
const nonceBytes = 32;

/** A new nonce, as it travels. */
export function createNonce(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(nonceBytes)));
}

/**
 * The signature that proves a key.
 *
 * @param nonce of the Coordinator's `challenge`
 * @param identify the bytes of the `identify` message
 */
export async function createProof(
  keyPair: CryptoKeyPair,
  nonce: string,
  identify: Uint8Array<ArrayBuffer>,
): Promise<string> {
  return toBase64Url(await sign(keyPair, await transcript(nonce, identify)));
}

/** @throws ConecError `refused` when the signature is not by the key that `identify` shows */
export async function checkProof(
  { publicKey }: Pick<ControlMessageOf<"identify">, "publicKey">,
  nonce: string,
  identify: Uint8Array<ArrayBuffer>,
  { signature }: Pick<ControlMessageOf<"proof">, "signature">,
): Promise<void> {
  const signed = await verify(publicKey, fromBase64Url(signature)!, await transcript(nonce, identify)).catch(
    () => false,
  );
  if (!signed) throw new ConecError("refused", "The Client did not prove that it has the key that it shows");
}

/**
 * Why the Client is not where it believes to be, or undefined if it is.
 *
 * @param authorities what the Coordinator's application says it is called, which then decides alone
 */
export function bindingFault(
  { authority, certificateHashes }: Pick<ControlMessageOf<"identify">, "authority" | "certificateHashes">,
  server: ServerCertificate | undefined,
  authorities: readonly string[] | undefined,
): string | undefined {
  const host = hostOf(authority);
  if (authorities !== undefined) {
    const known = authorities.includes(authority) || authorities.includes(host);
    return known ? undefined : `This Coordinator is not called ${quoted(authority)}`;
  }
  if (server === undefined) return undefined;
  if (certificateHashes.length > 0) {
    const own = server.certificateHashes.map(toBase64Url);
    const met = certificateHashes.some((hash) => own.includes(hash));
    return met ? undefined : "The Client met another certificate than this Coordinator's";
  }
  return server.hasName?.(host) === false ? `This Coordinator's certificate is not for ${quoted(host)}` : undefined;
}

/** The host and port of a URL as they are signed: the port is left out if it is 443. */
export function authorityOf(url: string | URL): string {
  return new URL(url).host;
}

function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** What is signed: a fixed text, the nonce, the SHA-256 of the `identify` message. */
async function transcript(nonce: string, identify: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const digest = await crypto.subtle.digest("SHA-256", identify);
  const parts = [context, fromBase64Url(nonce)!, new Uint8Array(digest)];
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Version and role, ended by a zero byte. */
const context = new TextEncoder().encode("conec/1 client proof\0");
