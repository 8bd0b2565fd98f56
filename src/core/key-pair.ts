// SPDX-License-Identifier: Apache-2.0
/**
 * The keys by which Clients are known: Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256 (FIPS 186-5) where WebCrypto
 * lacks that.
 */
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { ConecError } from "./errors.ts";

/**
 * A public key as text, equal for equal keys: `ed25519:` and the 32 bytes of the key, or `p256:` and the 65 bytes of
 * the uncompressed point, in base64url without padding.
 */
export type PublicKey = `${"ed25519" | "p256"}:${string}`;

/** What {@link generateKeyPair} takes. */
export interface GenerateKeyPairOptions {
  /** Whether the private key can be read out, as is needed to write it to a file. Default false. */
  extractable?: boolean;
}

/**
 * Makes a key pair for a Client. Kept (in a file, in IndexedDB, which takes keys that cannot be read out), it makes the
 * Client the same one after a restart.
 *
 * @throws ConecError `unsupported` where there is no WebCrypto, as on a page that is not https
 * @example
 * ```ts
 * const client = await Client.connect(url, { transport, keyPair: await generateKeyPair() });
 * ```
 */
export async function generateKeyPair({ extractable = false }: GenerateKeyPairOptions = {}): Promise<CryptoKeyPair> {
  const subtle = subtleCrypto();
  try {
    return await subtle.generateKey("Ed25519", extractable, ["sign", "verify"]);
  } catch (error) {
    if ((error as Error).name !== "NotSupportedError") throw error;
    return await subtle.generateKey(kinds.p256.imported, extractable, ["sign", "verify"]);
  }
}

/**
 * The text of a pair's public key, as the Coordinator and others see it.
 *
 * @throws ConecError `invalid-argument` for other than a pair of such keys
 * @example
 * ```ts
 * console.log("Put me on the list:", await publicKeyOf(await loadKeyPair("alice.pem")));
 * ```
 */
export async function publicKeyOf({ publicKey, privateKey }: CryptoKeyPair): Promise<PublicKey> {
  const kind = publicKey && kindOf(publicKey);
  if (kind === undefined || !privateKey || kindOf(privateKey) !== kind || !privateKey.usages.includes("sign"))
    throw new ConecError("invalid-argument", "A key pair must be of Ed25519 or ECDSA P-256 keys that can sign");
  const raw = await subtleCrypto().exportKey("raw", publicKey);
  return `${kind}:${toBase64Url(new Uint8Array(raw))}`;
}

/**
 * The key behind the text, for use with WebCrypto.
 *
 * @throws ConecError `invalid-argument` when it is none
 * @example
 * ```ts
 * const key = await importPublicKey(publicKey); // of a Client that was authenticated, "ed25519:…"
 * const isByPeer = await crypto.subtle.verify("Ed25519", key, signature, bytes);
 * ```
 */
export async function importPublicKey(text: string): Promise<CryptoKey> {
  const kind = kindOfText(text);
  const raw = kind && fromBase64Url(text.slice(kind.length + 1));
  if (kind === undefined || raw === undefined) throw new ConecError("invalid-argument", "Not a public key");
  try {
    return await subtleCrypto().importKey("raw", raw, kinds[kind].imported, true, ["verify"]);
  } catch (cause) {
    throw new ConecError("invalid-argument", "Not a public key", { cause });
  }
}

/** Whether a text looks like a public key: its kind and length. */
export function isPublicKey(text: unknown): text is PublicKey {
  const kind = typeof text === "string" ? kindOfText(text) : undefined;
  return kind !== undefined && fromBase64Url((text as string).slice(kind.length + 1))?.length === kinds[kind].bytes;
}

/** Signs with the pair's private key: 64 bytes. */
export async function sign({ privateKey }: CryptoKeyPair, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await subtleCrypto().sign(kinds[kindOf(privateKey)!].signed, privateKey, bytes));
}

/** Whether whoever has the private key signed these bytes. */
export async function verify(
  text: PublicKey,
  signature: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const key = await importPublicKey(text);
  return await subtleCrypto().verify(kinds[kindOf(key)!].signed, key, signature, bytes);
}

const kinds = {
  ed25519: { bytes: 32, imported: { name: "Ed25519" }, signed: { name: "Ed25519" } },
  p256: {
    bytes: 65,
    imported: { name: "ECDSA", namedCurve: "P-256" },
    signed: { name: "ECDSA", hash: "SHA-256" },
  },
} as const;

function kindOf({ algorithm }: CryptoKey): keyof typeof kinds | undefined {
  if (algorithm.name === "Ed25519") return "ed25519";
  return algorithm.name === "ECDSA" && (algorithm as EcKeyAlgorithm).namedCurve === "P-256" ? "p256" : undefined;
}

function kindOfText(text: string): keyof typeof kinds | undefined {
  if (text.startsWith("ed25519:")) return "ed25519";
  return text.startsWith("p256:") ? "p256" : undefined;
}

function subtleCrypto(): SubtleCrypto {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  if (subtle === undefined) throw new ConecError("unsupported", "There is no WebCrypto here; pages need https for it");
  return subtle;
}
