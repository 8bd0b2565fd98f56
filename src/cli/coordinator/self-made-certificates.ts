// SPDX-License-Identifier: Apache-2.0
import { randomBytes, X509Certificate } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";

import { createSelfSignedCertificate } from "../../transports/quic/index.ts";
import { makePrivateFolder } from "../connect/folders.ts";
import { Failure } from "../program/failure.ts";
import type { CertificateNews, Certificates, Identity } from "./certificates.ts";
import { renewalStep, switchTimeMs } from "./renewal.ts";
import type { Validity } from "./renewal.ts";

interface Made extends Identity, Validity {
  readonly hash: string;
}

/**
 * Certificates that a Coordinator makes for itself, for Clients that are told the hash. They are kept in a folder, so that
 * the hash is the same after a restart, and follow each other as renewal.ts says.
 */
export class SelfMadeCertificates implements Certificates {
  readonly resetKey: Uint8Array;
  onChange: (identity: Identity) => void = () => {};
  onNews: (news: CertificateNews) => void = () => {};
  readonly #folder: string;
  readonly #hosts: readonly string[];
  readonly #timer: NodeJS.Timeout;
  #current: Made;
  #next: Made | undefined;

  /** @throws Failure when the folder cannot be used */
  static async open(folder: string, hosts: readonly string[], nowMs = Date.now()): Promise<SelfMadeCertificates> {
    await makePrivateFolder(folder);
    try {
      const resetKey = (await read(join(folder, resetKeyFile))) ?? (await write(folder, resetKeyFile, randomBytes(32)));
      const [current, next] = [await readMade(folder, currentFile), await readMade(folder, nextFile)];
      const isRight = current !== undefined && isFor(current, hosts);
      const first = isRight ? current : await make(folder, currentFile, hosts);
      const made = new SelfMadeCertificates(folder, hosts, first, isRight ? next : undefined, resetKey);
      if (!isRight) await rm(join(folder, nextFile), { force: true });
      await made.check(nowMs);
      return made;
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      throw new Failure(`Cannot keep a certificate in ${folder} (--state): ${(cause as Error).message}`);
    }
  }

  private constructor(
    folder: string,
    hosts: readonly string[],
    current: Made,
    next: Made | undefined,
    resetKey: Uint8Array,
  ) {
    this.#folder = folder;
    this.#hosts = hosts;
    this.#current = current;
    this.#next = next;
    this.resetKey = resetKey;
    this.#timer = setInterval(() => void this.check(), checkIntervalMs).unref();
  }

  get identity(): Identity {
    return this.#current;
  }

  get hashes(): readonly string[] {
    return this.#next === undefined ? [this.#current.hash] : [this.#current.hash, this.#next.hash];
  }

  get validTo(): Date {
    return new Date(this.#current.notAfterMs);
  }

  async check(nowMs = Date.now()): Promise<void> {
    try {
      // A step may make the next one due, as after a long pause: first a certificate is made, then it is used.
      for (let steps = 0; steps < 2; steps += 1) {
        const step = renewalStep(nowMs, this.#current, this.#next);
        if (step === "none") return;
        if (step === "prepare") {
          this.#next = await make(this.#folder, nextFile, this.#hosts);
          const from = new Date(Math.max(nowMs, switchTimeMs(this.#current)));
          this.onNews({ type: "next", hash: this.#next.hash, from });
          continue;
        }
        if (step === "switch") {
          await rename(join(this.#folder, nextFile), join(this.#folder, currentFile));
          this.#current = this.#next!;
        } else this.#current = await make(this.#folder, currentFile, this.#hosts);
        this.#next = undefined;
        this.onChange(this.#current);
        this.onNews({ type: "changed", hash: this.#current.hash, validTo: this.validTo });
        return;
      }
    } catch (error) {
      this.onNews({ type: "fault", message: `Cannot renew the certificate: ${(error as Error).message}` });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const currentFile = "certificate.pem";
const nextFile = "next-certificate.pem";
const resetKeyFile = "stateless-reset.key";
const checkIntervalMs = 15 * 60_000;

/** Certificate and key are in one file, so that they always belong together. */
async function make(folder: string, name: string, hosts: readonly string[]): Promise<Made> {
  const { cert, key } = createSelfSignedCertificate({ hosts });
  await write(folder, name, Buffer.from(cert + key));
  return madeOf(cert + key)!;
}

async function readMade(folder: string, name: string): Promise<Made | undefined> {
  const bytes = await read(join(folder, name));
  return bytes === undefined ? undefined : madeOf(Buffer.from(bytes).toString("latin1"));
}

/** Undefined for what cannot be read: then a new one is made. */
function madeOf(pem: string): Made | undefined {
  const [cert, key] = ["CERTIFICATE", "PRIVATE KEY"].map(
    (label) => new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\n?`).exec(pem)?.[0],
  );
  if (cert === undefined || key === undefined) return undefined;
  try {
    const { fingerprint256, validFrom, validTo } = new X509Certificate(cert);
    const hash = fingerprint256.replaceAll(":", "").toLowerCase();
    return { cert, key, hash, notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) };
  } catch {
    return undefined;
  }
}

function isFor({ cert }: Made, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return hosts.every(
    (host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined,
  );
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whoever finds the file finds it whole, and only its owner can read it. */
async function write(folder: string, name: string, bytes: Uint8Array): Promise<Uint8Array> {
  const draft = join(folder, `.${name}.${process.pid}`);
  await writeFile(draft, bytes, { mode: 0o600 });
  await rename(draft, join(folder, name));
  return bytes;
}
