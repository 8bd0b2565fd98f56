// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, randomUUID } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";

import { ConecError } from "../../core/errors.ts";
import { generateKeyPair } from "../../core/key-pair.ts";

/**
 * The key pair of a Client that is kept in a file: PEM, PKCS #8, not encrypted. The first call makes one (Ed25519) and
 * writes it for its owner alone (mode 0600); the folder must be there.
 *
 * @throws ConecError `invalid-argument` when the file cannot be read or written, or holds no Ed25519 or P-256 key
 * @example
 * ```ts
 * const client = await Client.connect(url, { transport: quic(), id: "alice", keyPair: await loadKeyPair("alice.pem") });
 * ```
 */
export async function loadKeyPair(path: string): Promise<CryptoKeyPair> {
  const pem = (await read(path)) ?? (await create(path)) ?? (await read(path));
  if (pem === undefined) throw new ConecError("invalid-argument", `Cannot read the key in ${path}: it went away`);
  try {
    return await toKeyPair(createPrivateKey(pem));
  } catch (cause) {
    const wanted = "not an unencrypted private key, Ed25519 or P-256, as PEM";
    throw new ConecError("invalid-argument", `Cannot use the key in ${path}: ${wanted}`, { cause });
  }
}

/** Undefined when there is no such file. */
async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failure("read", path, cause);
  }
}

/** Undefined when somebody else was first. */
async function create(path: string): Promise<string | undefined> {
  const { privateKey } = await generateKeyPair({ extractable: true });
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey));
  const pem = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" });
  // Linked into place, so that whoever finds the file finds it whole.
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, pem, { flag: "wx", mode: 0o600 });
    await link(draft, path);
    return pem as string;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw failure("write", path, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

async function toKeyPair(key: KeyObject): Promise<CryptoKeyPair> {
  const algorithm = key.asymmetricKeyType === "ed25519" ? "Ed25519" : { name: "ECDSA", namedCurve: "P-256" };
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), algorithm, false, ["sign"]),
    crypto.subtle.importKey("spki", new Uint8Array(spki), algorithm, true, ["verify"]),
  ]);
  return { privateKey, publicKey };
}

function failure(what: "read" | "write", path: string, cause: unknown): ConecError {
  const message = `Cannot ${what} the key in ${path}: ${(cause as Error).message}`;
  return new ConecError("invalid-argument", message, { cause });
}
