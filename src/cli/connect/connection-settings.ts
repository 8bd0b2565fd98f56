// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Transport } from "../../index.ts";
import { loadKeyPair, quic } from "../../transports/quic/index.ts";
import { websocket } from "../../transports/websocket/node/index.ts";
import { Failure, UsageError } from "../program/failure.ts";
import { exitCodes } from "../program/exit-codes.ts";
import type { ConnectionValues } from "./connection-options.ts";
import { configFolder, makePrivateFolder } from "./folders.ts";

export type TransportName = "quic" | "websocket";

/** How to reach a Coordinator, and as whom. */
export interface ConnectionSettings {
  readonly url: URL;
  readonly transports: readonly { readonly name: TransportName; readonly transport: Transport }[];
  readonly serverCertificateHashes: readonly { algorithm: "sha-256"; value: Uint8Array<ArrayBuffer> }[] | undefined;
  readonly ca: string | undefined;
  readonly keyPair: CryptoKeyPair;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

/** @throws UsageError, Failure when a file cannot be read */
export async function readConnectionSettings(values: ConnectionValues): Promise<ConnectionSettings> {
  const url = parseUrl(values.url);
  const timeoutMs = parseSeconds("--timeout", values.timeout ?? "10");
  if (values.ca !== undefined && values.hash.length > 0)
    throw new UsageError("--ca and --hash exclude each other: a hash says which certificate it is, whoever issued it");
  const ca = values.ca === undefined ? undefined : await readText("--ca", values.ca);
  const hashes = values.hash.map(parseHash);
  const serverCertificateHashes = hashes.length > 0 ? hashes : undefined;
  const identity = {
    connectTimeoutMs: timeoutMs,
    ...(ca !== undefined && { ca }),
    ...(serverCertificateHashes !== undefined && { serverCertificateHashes }),
  };
  const make = { quic: () => quic(identity), websocket: () => websocket(identity) };
  const names = parseTransports(values.transport ?? "quic,websocket");
  return {
    url,
    transports: names.map((name) => ({ name, transport: make[name]() })),
    serverCertificateHashes,
    ca,
    keyPair: await loadKey(values.key),
    token: await readToken(values),
    timeoutMs,
  };
}

/** Where the key of this user is, unless `--key` says otherwise. */
export function keyPath(given: string | undefined): string {
  return given ?? join(configFolder(), "key.pem");
}

export async function loadKey(given: string | undefined): Promise<CryptoKeyPair> {
  if (given === undefined) await makePrivateFolder(configFolder());
  return await loadKeyPair(keyPath(given));
}

/** A time as an option: seconds, to milliseconds. @throws UsageError */
export function parseSeconds(option: string, text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 2_000_000) return Math.ceil(seconds * 1000);
  throw new UsageError(`${option} must be a number of seconds above 0, not ${JSON.stringify(text)}`);
}

function parseUrl(text: string | undefined): URL {
  if (text === undefined)
    throw new UsageError("Where is the Coordinator? Give --url https://HOST:PORT, or set CONEC_URL");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" || url.username !== "" || url.hash !== "")
    throw new UsageError(`The Coordinator's URL must be of the form https://HOST:PORT, not ${JSON.stringify(text)}`);
  return url;
}

function parseHash(text: string): { algorithm: "sha-256"; value: Uint8Array<ArrayBuffer> } {
  const hex = text.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new UsageError(`--hash must be the 64 hexadecimal digits of a SHA-256, not ${JSON.stringify(text)}`);
  return { algorithm: "sha-256", value: new Uint8Array(Buffer.from(hex, "hex")) };
}

function parseTransports(text: string): TransportName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => name !== "quic" && name !== "websocket");
  if (unknown !== undefined)
    throw new UsageError(`--transport takes quic and websocket, parted by a comma, not ${JSON.stringify(unknown)}`);
  return [...new Set(names as TransportName[])];
}

async function readToken(values: ConnectionValues): Promise<string | undefined> {
  if (values["token-file"] === undefined) return values.token;
  const token = (await readText("--token-file", values["token-file"])).trim();
  if (token === "") throw new UsageError(`There is no token in ${values["token-file"]}`);
  return token;
}

/** The text of a file that an option names. */
export async function readText(option: string, path: string): Promise<string> {
  try {
    if ((await stat(path)).size > maxTextBytes) throw new Error(`it is longer than ${maxTextBytes} bytes`);
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message;
    throw new Failure(`Cannot read ${path} (${option}): ${why}`, exitCodes.usage, "usage", cause);
  }
}

const maxTextBytes = 16 * 1024 * 1024;
