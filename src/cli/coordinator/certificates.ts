// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";

import { readText } from "../connect/connection-settings.ts";
import { exitCodes } from "../program/exit-codes.ts";
import { Failure } from "../program/failure.ts";
import { SelfMadeCertificates } from "./self-made-certificates.ts";
import { watchFiles } from "./watched-file.ts";

export interface Identity {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Where a Coordinator has its certificate from. */
export interface Certificates {
  readonly identity: Identity;
  /** SHA-256 of the one in use and of the one that follows, as far as Clients are to be told them. */
  readonly hashes: readonly string[];
  /** See `statelessResetKey` of the listener; undefined: made from the certificate's key. */
  readonly resetKey: Uint8Array | undefined;
  /** Another one is to be used from now on. */
  onChange: (identity: Identity) => void;
  /** There is something to say. `isFault`: it should not be so. */
  onNews: (news: CertificateNews) => void;
  /** Looks for a change now. */
  check(): Promise<void>;
  close(): void;
}

export type CertificateNews =
  | { type: "fault"; message: string }
  | { type: "changed"; hash: string; validTo: Date }
  /** A self-made one that will be used from a time on. */
  | { type: "next"; hash: string; from: Date };

export interface CertificateOptions {
  /** Certificate chain and key, PEM files; without them one is made. */
  cert: string | undefined;
  key: string | undefined;
  /** Where one that is made is kept. */
  stateFolder: string;
  /** What one that is made is for. */
  hosts: readonly string[];
}

/** @throws Failure */
export async function openCertificates(options: CertificateOptions): Promise<Certificates> {
  const { cert, key, stateFolder, hosts } = options;
  if (cert !== undefined && key !== undefined) return await CertificateFiles.open(cert, key);
  return await SelfMadeCertificates.open(stateFolder, hosts);
}

/** A certificate in files, which somebody else renews. */
class CertificateFiles implements Certificates {
  identity: Identity;
  readonly hashes: readonly string[] = [];
  readonly resetKey = undefined;
  onChange: (identity: Identity) => void = () => {};
  onNews: (news: CertificateNews) => void = () => {};
  readonly #paths: readonly [string, string];
  readonly #watch: { stop(): void };

  static async open(cert: string, key: string): Promise<CertificateFiles> {
    return new CertificateFiles([cert, key], await readIdentity(cert, key));
  }

  private constructor(paths: readonly [string, string], identity: Identity) {
    this.#paths = paths;
    this.identity = identity;
    this.#watch = watchFiles(paths, () => void this.check());
  }

  async check(): Promise<void> {
    let identity: Identity;
    try {
      identity = await readIdentity(...this.#paths);
      if (identity.cert === this.identity.cert && identity.key === this.identity.key) return;
      // Throws when the two do not belong together, as between the writing of one and of the other.
      this.onChange(identity);
    } catch (error) {
      return this.onNews({ type: "fault", message: `${(error as Error).message}; the one from before stays in use` });
    }
    this.identity = identity;
    const { fingerprint256, validTo } = new X509Certificate(identity.cert);
    const hash = fingerprint256.replaceAll(":", "").toLowerCase();
    this.onNews({ type: "changed", hash, validTo: new Date(validTo) });
  }

  close(): void {
    this.#watch.stop();
  }
}

async function readIdentity(certPath: string, keyPath: string): Promise<Identity> {
  const identity = { cert: await readText("--cert", certPath), key: await readText("--cert-key", keyPath) };
  try {
    // Here for a plain message; the listener checks the two together.
    if (new X509Certificate(identity.cert).raw.length > 0) return identity;
  } catch {
    // Said below.
  }
  throw new Failure(`There is no certificate in ${certPath} (--cert): it must be PEM`, exitCodes.usage, "usage");
}
